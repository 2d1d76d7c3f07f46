"""The corpus section: how many documents, bytes and tokens reach each step of the recipe, and why the others did not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from snow.corpus import opt_outs
from snow.corpus.shortfalls import unmatched
from snow.errors import SnowError
from snow.report import contaminated, heldout
from snow.report.charts import Bar, bars
from snow.report.content import Column, Figure, Section, Table, columns
from snow.report.format import INAPPLICABLE, cell, count, percent, short, size
from snow.report.receipts import Receipts, pick
from snow.report.run import Run
from snow.reserved import CORPUS, heldout_of


@dataclass(frozen=True)
class Step:
    """What is left after one step; `seen` is how much the step looked at."""

    name: str
    title: str
    seen: int | None
    documents: int
    bytes: int
    dropped: Mapping[str, int]  # by reason
    tokens: int | str = INAPPLICABLE

    @property
    def dropped_total(self) -> int:
        """Documents (when collecting: files and rows) that went no further."""
        return sum(self.dropped.values())


REASONS = {  # what the receipts' names mean; those of the filters are left as they are, they name the threshold in params.yaml
    "language": "no source file, or another language",
    "license": "licence not allowed or not recognised",
    "limit_files": "beyond limit_files of its repository",
    "exclude_paths": "left out by exclude_paths of its source",
    "empty": "empty",
    "binary": "binary",
    "invalid_utf8": "not UTF-8",
    "too_large": "too large to read",
    "unreadable": "unreadable",
    "not_a_file": "a link or device",
    "submodule": "a submodule",
    "invalid_path": "a name that is not Unicode",
    "duplicate_path": "a second file of the same name",
    "broken_row": "a broken row",
    "broken_notebook": "a notebook without cells that can be read",
    opt_outs.REASON: "on a list of opt_out",
    "exact": "exact copy",
    "near": "near-duplicate",
    "contaminated": "contains a benchmark's text",
}


def steps(run: Run) -> list[Step]:
    """The corpus from the sources to its tokens, in order. SnowError when a step did not read what the one before it wrote."""
    receipts, raw = run.receipts, run.receipts.total("collect")
    reached = [Step("collected", "collected", pick(raw, "files_seen"), raw["documents"], raw["bytes"], _reasons(raw))]
    for stage, title in STEPS:
        if stage == "redact" and not run.redacted:
            continue
        facts, before = receipts.total(stage), reached[-1].documents
        if facts.get("documents_in", before) != before:
            raise SnowError(
                f"receipts/{stage} read {facts['documents_in']} documents where the step before wrote {before}: they are of two "
                "runs; run `snakemake all`"
            )
        reached.append(Step(stage, title, before, facts["documents"], facts["bytes"], _reasons(facts)))
    if run.corpus_set:
        packed = run.packed(run.corpus_set)
        title = f"token set {run.corpus_set}"
        reached.append(Step("pack", title, reached[-1].documents, packed["documents"], packed["bytes"], _reasons(packed), packed["tokens"]))
    return reached


def _reasons(facts: Mapping[str, Any]) -> dict[str, int]:
    dropped = facts["dropped"]
    if not isinstance(dropped, Mapping):  # decontaminate has one reason and counts it plainly
        dropped = {"contaminated": dropped}
    found: dict[str, int] = {}
    for reason, number in dropped.items():
        said = pick(facts, "because", reason)  # of files that are dropped for where they come from
        found |= {f"{reason}: {why}": part for why, part in said.items()} if said else {REASONS.get(reason, reason): number}
    return {reason: number for reason, number in found.items() if number}


STEPS = (
    ("filter", "after the filters"),
    ("redact", "redacted"),
    ("unique", "after deduplication"),
    ("decontaminate", "after decontamination"),
)
AMOUNT = [*columns("count", documents="documents"), *columns("bytes", bytes="bytes"), *columns("count", tokens="tokens")]


def section(run: Run) -> Section:
    """Receipts of collect, filter, unique, duplicates, decontaminate, holdout, pack and suite are required."""
    receipts, reached = run.receipts, steps(run)
    first, last = reached[0], reached[-1]
    clean = next(step for step in reached if step.name == "decontaminate")
    holdout = receipts.one("holdout")
    kept = f" ({percent(clean.bytes / first.bytes)} of the bytes)" if first.bytes else ""
    rest = f"; the rest, {short(run.packed(run.corpus_set)['tokens'])} tokens, is the token set {run.corpus_set}" if run.corpus_set else ""
    words = (
        f"{count(first.documents)} documents were collected, {size(first.bytes)} in all; {count(clean.documents)} of them{kept} "
        f"passed the filters, deduplication and decontamination. {heldout.units(holdout)} are held out and never trained on{rest}. The "
        f"held-out text {heldout.mixed(holdout)}.{heldout.apart(holdout)}"
    )
    title = "Documents at each step"
    rows = [Bar(step.title, step.documents, f"{count(step.documents)} documents, {size(step.bytes)}") for step in reached]
    caption = f"What the {last.title} lacks against the step before is held out." if run.corpus_set else "What each step left for the next."
    figure = Figure(title, (bars(rows, name=title),), caption)
    blocks = [
        words,
        figure,
        _funnel(reached),
        _token_sets(run),
        _dropped(reached, receipts),
        _filtered(receipts),
        *_redacted(run),
        _languages(run),
        _sources(receipts),
        _licenses(receipts),
        _suites(receipts),
        contaminated.table(run.matches),
        *_commits(receipts),
    ]
    return Section("corpus", "The corpus", blocks)


def _funnel(reached: list[Step]) -> Table:
    heads = [*columns("text", step="step"), *AMOUNT, *columns("count", dropped="dropped here")]
    heads += columns("fraction", kept="kept of what it saw")
    rows = [
        (step.title, step.documents, step.bytes, step.tokens, step.dropped_total, step.documents / step.seen if step.seen else None)
        for step in reached
    ]
    notes = ("Collecting sees files and rows of tables, the other steps documents.",)
    return Table("funnel", "From sources to tokens", heads, rows, notes)


def _token_sets(run: Run) -> Table:
    held = dict.fromkeys(map(run.tokenizer, run.models))
    holds = {name: f"{_documents(run, one.documents)}, packed as {one.grouping}" for name, one in run.declared.token_sets.items()}
    holds |= {heldout_of(tokenizer): "what is held out" for tokenizer in held}
    holds |= {heldout_of(name): f"what is held out, as {name} reads it" for name in run.declared.compare_with}
    rows = [(name, told, *(run.packed(name)[column.key] for column in AMOUNT)) for name, told in holds.items()]
    notes = ("Tokens include each document's end and, where its grouping has repo_context, its repository and file name.",)
    return Table("token_sets", "Token sets", [*columns("text", set="token set", holds="holds"), *AMOUNT], rows, notes)


def _documents(run: Run, name: str) -> str:
    """What documents a token set names, in words."""
    if name == CORPUS:
        return "the corpus without what is held out"
    chosen = run.declared.selections.get(name)
    if chosen is None:
        return f"the synthetic documents {name}"
    how = f"drawn at random in place of {chosen.like}" if chosen.like else f"ranked by {chosen.by}"
    return f"the selection {name}, {how}"


def _dropped(reached: list[Step], receipts: Receipts) -> Table:
    duplicates = receipts.one("duplicates")
    heads = [*columns("text", step="step", reason="reason"), *columns("count", documents="dropped")]
    heads += columns("fraction", share="of what the step saw")
    rows = [
        (step.title, reason, number, number / step.seen if step.seen else None)
        for step in reached
        for reason, number in sorted(step.dropped.items(), key=lambda item: (-item[1], item[0]))
    ]
    notes = (
        "Each document is counted once, under the first reason that applied; when collecting, files and rows of tables are.",
        *opted_out(receipts),
        f"Copies form {cell(pick(duplicates, 'clusters'), 'count')} clusters, the largest of "
        f"{cell(pick(duplicates, 'largest_cluster'), 'count')} documents; one document of each stays.",
    )
    return Table("dropped", "Dropped, by reason", heads, rows, notes)


def _filtered(receipts: Receipts) -> Table:
    """What the filters dropped in each language; the other steps do not record languages by reason."""
    languages = receipts.total("filter")["languages"]
    heads = [*columns("text", language="language", reason="reason"), *columns("count", documents="dropped")]
    heads += columns("fraction", share="of the language")
    rows = [
        (name, reason, number, number / facts["documents_in"] if facts.get("documents_in") else None)
        for name, facts in sorted(languages.items(), key=lambda item: (-item[1].get("documents_in", 0), item[0]))
        for reason, number in sorted(facts["dropped"].items(), key=lambda item: (-item[1], item[0]))
    ]
    return Table("dropped_languages", "Dropped by the filters, by language and reason", heads, rows, folded=True)


def opted_out(receipts: Receipts) -> list[str]:
    """A sentence on each list of params.opt_out: how many of its entries left out how many documents, and how many matched none."""
    shards = [pick(facts, "opt_out") or {} for facts in receipts.instances("filter").values()]
    sentences = []
    for name in shards[0]:
        found = Counter[str]()
        for facts in shards:
            found.update(facts[name]["matched"])
        entries, of = shards[0][name]["entries"], "repository" if name == "repositories" else "document"
        sentences.append(
            f"opt_out.{name}: of {count(entries)} listed, {count(len(found))} leave out {count(found.total())} documents and "
            f"{count(entries - len(found))} match no {of} of the corpus."
        )
    return sentences


def _redacted(run: Run) -> list[Table]:
    """What was replaced, by kind; nothing where params ask for no redaction."""
    if not run.redacted:
        return []
    facts = run.receipts.total("redact")
    heads = [*columns("text", kind="kind"), *columns("count", found="replaced", documents="documents with any")]
    heads += columns("fraction", share="of the documents")
    rows = [
        (kind.replace("_", " "), told["found"], told["documents"], told["documents"] / facts["documents"] if facts["documents"] else None)
        for kind, told in facts["kinds"].items()
    ]
    notes = ("corpus/redactions says how many of which kind each document held; docs/redaction.md, what is found and what is left alone.",)
    return [Table("redacted", "Replaced by markers, by kind", heads, rows, notes)]


def _languages(run: Run) -> Table:
    """One row per language of the collected documents, the largest first."""
    raw, filtered = (run.receipts.total(stage)["languages"] for stage in ("collect", "filter"))
    holdout = run.receipts.one("holdout")["bytes"]
    packed = {name: run.packed(name)["languages"] for name in run.declared.token_sets}
    after = {"filtered_bytes": "after filters", "decontaminated_bytes": "unique and decontaminated", "heldout_bytes": "of it held out"}
    heads = [
        *columns("text", language="language"),
        *columns("count", "collected", collected="documents"),
        *columns("bytes", "collected", collected_bytes="bytes"),
        *columns("bytes", **after),
        *columns("text", heldout_by="held out by"),
        *(Column(f"tokens:{name}", name, group="tokens") for name in packed),
    ]
    names = sorted({*raw, *(name for part in packed.values() for name in part)}, key=lambda name: (-_amount(raw, name, "bytes"), name))
    rows = [
        (
            name,
            _amount(raw, name, "documents"),
            _amount(raw, name, "bytes"),
            _amount(filtered, name, "bytes"),
            _amount(holdout, name, "total"),
            _amount(holdout, name, "heldout"),
            heldout.of_language(holdout.get(name)),
            *(_amount(part, name, "tokens") for part in packed.values()),
        )
        for name in names
    ]
    return Table("languages", "By language", heads, rows)


def _amount(facts: Mapping[str, Any], *path: str) -> int:
    """A count down a path of keys; a language that a step does not name has none of it."""
    return pick(facts, *path) or 0


def _sources(receipts: Receipts) -> Table:
    sources = receipts.total("collect")["sources"]
    numbers = [*columns("count", files_seen="files and rows seen"), *AMOUNT[:2], *columns("count", dropped="dropped")]
    rows = [(name, *(pick(facts, column.key) for column in numbers)) for name, facts in sources.items()]
    notes = [f"{said}." for name, facts in sources.items() for said in unmatched(name, pick(facts, "exclude_paths") or {})]
    return Table("sources", "Sources", [*columns("text", source="source"), *numbers], rows, tuple(notes))


def _licenses(receipts: Receipts) -> Table:
    collected = receipts.total("collect")
    refused = pick(collected, "licenses_dropped") or {}
    groups = (
        ("kept", collected["licenses"]),
        ("left out: not allowed", refused.get("not_allowed", {})),
        ("left out: not recognised", refused.get("unknown", {})),
    )
    rows = [
        (kind, name or "(none stated)", number)
        for kind, found in groups
        for name, number in sorted(found.items(), key=lambda item: (-item[1], item[0]))
    ]
    heads = [*columns("text", outcome="outcome", license="licence, as SPDX or as stated"), *columns("count", documents="files")]
    return Table("licenses", "Licences of the collected files", heads, rows, folded=True)


def _suites(receipts: Receipts) -> Table:
    """What decontamination looked for and what it found."""
    params = receipts.params()["decontamination"]
    ways = {"substring": "by substring", "ngram": "by word n-gram", "short": "by short text"}
    ways |= {"tokens": "by tokens"} if params["tokens"] else {}
    found = columns("count", "documents found", **ways)
    heads = [*columns("text", suite="benchmark"), *columns("count", tasks="tasks", findable="tasks that can be found"), *found]
    heads += columns("digest", sha256="SHA-256 of the data")
    shards = receipts.instances("decontaminate")
    suites = next(iter(shards.values()))["suites"]  # the suites are the same for every shard, the hits are added up
    hits = receipts.total("decontaminate")["suites"]
    data = receipts.instances("suite")
    rows = [
        (
            name,
            facts["tasks"],
            facts["findable_tasks"],
            *(hits[name]["documents_by_method"].get(column.key, 0) for column in found),
            pick(data.get(name, {}), "sha256"),
        )
        for name, facts in suites.items()
    ]
    notes = [
        "A document goes when it contains, of a task's statement or reference solution, the whole regardless of whitespace, if that is "
        f"{params['substring_min_chars']} characters or more; any {params['ngram']} words in a row with {params['distinct_words']} "
        f"different ones among them; or, of a text of {params['short_ngram']} to {params['ngram'] - 1} words, all of it. A document can be "
        "found in several ways.",
    ]
    if params["tokens"]:
        notes.append(
            f"By tokens a reference solution is found whose names were changed, if it has {params['tokens']['min_tokens']} tokens or more, "
            f"{params['tokens']['distinct']} of them different."
        )
    notes += [
        f"No text of these tasks of {name} can be found: {', '.join(facts['hidden_tasks'])}."
        for name, facts in suites.items()
        if facts["hidden_tasks"]
    ]
    return Table("decontamination", "Decontamination", heads, rows, tuple(notes))


def _commits(receipts: Receipts) -> list[Table]:
    commits = {name: commit for facts in receipts.instances("collect").values() for name, commit in (pick(facts, "commits") or {}).items()}
    if not commits:
        return []
    heads = [*columns("text", repository="repository"), *columns("code", commit="commit")]
    return [Table("commits", "Commits read", heads, sorted(commits.items()), folded=True)]

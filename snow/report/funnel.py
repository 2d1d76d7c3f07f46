"""The corpus section: how many documents, bytes and tokens reach each step of the recipe, and why the others did not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from snow.errors import SnowError
from snow.report.charts import Bar, bars
from snow.report.content import Column, Figure, Section, Table
from snow.report.format import INAPPLICABLE, cell, count, percent, short, size
from snow.report.receipts import Facts, Receipts, pick


@dataclass(frozen=True)
class Step:
    """What is left after one step; `seen` is how much the step looked at."""

    name: str
    title: str
    seen: int | None
    documents: int
    bytes: int
    dropped: Mapping[str, int]  # by reason

    @property
    def dropped_total(self) -> int:
        """Documents (when collecting: files and rows) that went no further."""
        return sum(self.dropped.values())


REASONS = {  # what the receipts' names mean; those of the filters are left as they are, they name the threshold in params.yaml
    "language": "no source file, or another language",
    "license": "licence not allowed or not recognised",
    "limit_files": "beyond limit_files of its repository",
    "empty": "empty",
    "binary": "binary",
    "invalid_utf8": "not UTF-8",
    "too_large": "too large to read",
    "unreadable": "unreadable",
    "not_a_file": "a link or device",
    "invalid_path": "a name that is not Unicode",
    "duplicate_path": "a second file of the same name",
    "broken_row": "a broken row",
    "exact": "exact copy",
    "near": "near-duplicate",
    "contaminated": "contains a benchmark's text",
}


def steps(receipts: Receipts) -> list[Step]:
    """The corpus from the sources to phase 1, in order. SnowError when a step did not read what the one before it wrote."""
    raw, clean, unique = (receipts.total(stage) for stage in ("collect", "clean", "unique"))
    decontaminated = receipts.total("decontaminate")
    found = [
        Step("collected", "collected", pick(raw, "files_seen"), raw["documents"], raw["bytes"], _reasons(raw)),
        Step("clean", "after the filters", raw["documents"], clean["documents"], clean["bytes"], _reasons(clean)),
        Step("unique", "after deduplication", clean["documents"], unique["documents"], unique["bytes"], _reasons(unique)),
        Step(
            "decontaminated",
            "after decontamination",
            unique["documents"],
            decontaminated["documents"],
            decontaminated["bytes"],
            _reasons(decontaminated),
        ),
    ]
    for stage, before, facts in zip(("clean", "unique", "decontaminate"), found, (clean, unique, decontaminated), strict=False):
        if facts.get("documents_in", before.documents) != before.documents:
            raise SnowError(
                f"receipts/{stage} read {facts['documents_in']} documents where the step before wrote {before.documents}: they are of two "
                "runs; run `snakemake all`"
            )
    packed = receipts.total("pack", "phase1/")
    return [*found, Step("phase1", "phase 1", found[-1].documents, packed["documents"], packed["bytes"], _reasons(packed))]


def _reasons(facts: Mapping[str, Any]) -> dict[str, int]:
    dropped = facts["dropped"]
    if not isinstance(dropped, Mapping):  # decontaminate has one reason and counts it plainly
        dropped = {"contaminated": dropped}
    return {REASONS.get(reason, reason): number for reason, number in dropped.items() if number}


def section(receipts: Receipts) -> Section:
    """Receipts of collect, clean, unique, decontaminate, split, pack and suite are required."""
    found = steps(receipts)
    first = found[0]
    split = receipts.one("split")
    kept = f" ({percent(found[3].bytes / first.bytes)} of the bytes)" if first.bytes else ""
    words = (
        f"{count(first.documents)} documents were collected, {size(first.bytes)} in all; {count(found[3].documents)} of them{kept} "
        f"passed the filters, deduplication and decontamination. {count(split['heldout_repositories'])} of "
        f"{count(split['repositories'])} repositories are held out and never trained on; the rest, "
        f"{short(receipts.total('pack', 'phase1/')['tokens'])} tokens, is what phase 1 reads and phase 2 is selected from."
    )
    figure = Figure(
        "Documents at each step",
        (
            bars(
                [Bar(step.title, step.documents, f"{count(step.documents)} documents, {size(step.bytes)}") for step in found],
                name="Documents at each step",
            ),
        ),
        "What phase 1 lacks against the step before is held out.",
    )
    blocks = [
        words,
        figure,
        _funnel(receipts, found),
        _dropped(found, receipts.one("cluster")),
        _filtered(receipts),
        _languages(receipts),
        _sources(receipts),
        _licenses(receipts),
    ]
    return Section("corpus", "The corpus", [*blocks, _suites(receipts), *_commits(receipts)])


def _funnel(receipts: Receipts, found: list[Step]) -> Table:
    columns = (
        Column("step", "step", "text"),
        Column("documents", "documents"),
        Column("bytes", "bytes", "bytes"),
        Column("tokens", "tokens"),
        Column("dropped", "dropped here"),
        Column("kept", "kept of what it saw", "fraction"),
    )
    rows: list[tuple[Any, ...]] = [
        (
            step.title,
            step.documents,
            step.bytes,
            receipts.total("pack", "phase1/")["tokens"] if step.name == "phase1" else INAPPLICABLE,
            step.dropped_total,
            step.documents / step.seen if step.seen else None,
        )
        for step in found
    ]
    titles = {"heldout": "held out", "phase2": "selected for phase 2", "control": "control", "phase3": "synthetic, phase 3"}
    for part, title in titles.items():
        packed = receipts.total("pack", f"{part}/")
        rows.append((title, packed["documents"], packed["bytes"], packed["tokens"], INAPPLICABLE, INAPPLICABLE))
    notes = (
        "Collecting sees files and rows of tables, the other steps documents. Tokens include each document's end and, where "
        "packing.repo_context is on, its repository and file name. The last four rows are parts of the corpus (held out, selected, "
        "control) or stand beside it (synthetic), so nothing is dropped on the way to them.",
    )
    return Table("funnel", "From sources to tokens", columns, tuple(rows), notes)


def _dropped(found: list[Step], cluster: Facts) -> Table:
    columns = (
        Column("step", "step", "text"),
        Column("reason", "reason", "text"),
        Column("documents", "dropped"),
        Column("share", "of what the step saw", "fraction"),
    )
    rows = [
        (step.title, reason, number, number / step.seen if step.seen else None)
        for step in found
        for reason, number in sorted(step.dropped.items(), key=lambda item: (-item[1], item[0]))
    ]
    notes = (
        "Each document is counted once, under the first reason that applied; when collecting, files and rows of tables are.",
        f"Copies form {cell(pick(cluster, 'clusters'), 'count')} clusters, the largest of "
        f"{cell(pick(cluster, 'largest_cluster'), 'count')} documents; one document of each stays.",
    )
    return Table("dropped", "Dropped, by reason", columns, tuple(rows), notes)


def _filtered(receipts: Receipts) -> Table:
    """What the filters dropped in each language; the other steps do not record languages by reason."""
    columns = (
        Column("language", "language", "text"),
        Column("reason", "reason", "text"),
        Column("documents", "dropped"),
        Column("share", "of the language", "fraction"),
    )
    rows = [
        (name, reason, number, number / facts["documents_in"] if facts.get("documents_in") else None)
        for name, facts in sorted(receipts.total("clean")["languages"].items(), key=lambda item: (-item[1].get("documents_in", 0), item[0]))
        for reason, number in sorted(facts["dropped"].items(), key=lambda item: (-item[1], item[0]))
    ]
    return Table("dropped_languages", "Dropped by the filters, by language and reason", columns, tuple(rows), folded=True)


def _languages(receipts: Receipts) -> Table:
    """One row per language of the collected documents, the largest first."""
    raw, clean = receipts.total("collect")["languages"], receipts.total("clean")["languages"]
    split = receipts.one("split")["bytes"]
    packed = {part: receipts.total("pack", f"{part}/")["languages"] for part in ("phase1", "phase2", "control", "phase3")}
    columns = (
        Column("language", "language", "text"),
        Column("collected", "documents", group="collected"),
        Column("collected_bytes", "bytes", "bytes", "collected"),
        Column("clean_bytes", "after filters", "bytes"),
        Column("decontaminated_bytes", "unique and decontaminated", "bytes"),
        Column("heldout_bytes", "of it held out", "bytes"),
        Column("phase1_tokens", "phase 1", group="tokens"),
        Column("phase2_tokens", "selected", group="tokens"),
        Column("control_tokens", "control", group="tokens"),
        Column("phase3_tokens", "synthetic", group="tokens"),
    )
    names = sorted({*raw, *(name for part in packed.values() for name in part)}, key=lambda name: (-_amount(raw, name, "bytes"), name))
    rows = tuple(
        (
            name,
            _amount(raw, name, "documents"),
            _amount(raw, name, "bytes"),
            _amount(clean, name, "bytes"),
            _amount(split, name, "total"),
            _amount(split, name, "heldout"),
            *(_amount(part, name, "tokens") for part in packed.values()),
        )
        for name in names
    )
    return Table("languages", "By language", columns, rows)


def _amount(facts: Mapping[str, Any], *path: str) -> int:
    """A count down a path of keys; a language that a step does not name has none of it."""
    return pick(facts, *path) or 0


def _sources(receipts: Receipts) -> Table:
    sources = receipts.total("collect")["sources"]
    columns = (
        Column("source", "source", "text"),
        Column("files_seen", "files and rows seen"),
        Column("documents", "documents"),
        Column("bytes", "bytes", "bytes"),
        Column("dropped", "dropped"),
    )
    rows = tuple((name, *(pick(facts, column.key) for column in columns[1:])) for name, facts in sources.items())
    return Table("sources", "Sources", columns, rows)


def _licenses(receipts: Receipts) -> Table:
    collected = receipts.total("collect")
    refused = pick(collected, "licenses_dropped") or {}
    groups = (
        ("kept", collected["licenses"]),
        ("left out: not allowed", refused.get("not_allowed", {})),
        ("left out: not recognised", refused.get("unknown", {})),
    )
    rows = tuple(
        (kind, name or "(none stated)", number)
        for kind, found in groups
        for name, number in sorted(found.items(), key=lambda item: (-item[1], item[0]))
    )
    columns = (
        Column("outcome", "outcome", "text"),
        Column("license", "licence, as SPDX or as stated", "text"),
        Column("documents", "files"),
    )
    return Table("licenses", "Licences of the collected files", columns, rows, folded=True)


def _suites(receipts: Receipts) -> Table:
    """What decontamination looked for and what it found."""
    columns = (
        Column("suite", "benchmark", "text"),
        Column("tasks", "tasks"),
        Column("findable", "tasks that can be found"),
        Column("substring", "by substring", group="documents found"),
        Column("ngram", "by word n-gram", group="documents found"),
        Column("short", "by short text", group="documents found"),
        Column("sha256", "SHA-256 of the data", "digest"),
    )
    shards = receipts.instances("decontaminate")
    suites = next(iter(shards.values()))["suites"]  # the suites are the same for every shard, the hits are added up
    hits = receipts.total("decontaminate")["suites"]
    data = receipts.instances("suite")
    rows = tuple(
        (
            name,
            facts["tasks"],
            facts["findable_tasks"],
            *(hits[name]["documents_by_method"].get(method, 0) for method in ("substring", "ngram", "short")),
            pick(data.get(name, {}), "sha256"),
        )
        for name, facts in suites.items()
    )
    params = receipts.params()["decontamination"]
    notes = (
        "A document goes when it contains, of a task's statement or reference solution, the whole regardless of whitespace, if that is "
        f"{params['substring_min_chars']} characters or more; any {params['ngram']} words in a row with {params['distinct_words']} "
        f"different ones among them; or, of a text of {params['short_ngram']} to {params['ngram'] - 1} words, all of it. A document can be "
        "found in several ways.",
    )
    return Table("decontamination", "Decontamination", columns, rows, notes)


def _commits(receipts: Receipts) -> list[Table]:
    commits = {name: commit for facts in receipts.instances("collect").values() for name, commit in (pick(facts, "commits") or {}).items()}
    if not commits:
        return []
    columns = (Column("repository", "repository", "text"), Column("commit", "commit", "code"))
    return [Table("commits", "Commits read", columns, tuple(sorted(commits.items())), folded=True)]

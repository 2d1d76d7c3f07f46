"""What became of a repository: the licences it states, the fate of its documents, and where those that are left are used."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from snow.trace import lookup, uses
from snow.trace.find import SHOWN
from snow.trace.lookup import Recipe, Rows
from snow.trace.way import Step, absent, number


def steps(recipe: Recipe, stated: Rows) -> Iterator[Step]:
    """The steps of the repository that these rows of `repositories` are about."""
    repo = stated[0]["repo"]
    shard = recipe.shard_of(repo)
    yield Step("collected", _stated(stated), {"stated": stated})
    documents = _fates(recipe, repo, shard)
    if not documents:
        return
    counts = Counter(row["fate"] for row in documents)
    lines = [f"{len(documents):,}: " + ", ".join(f"{count:,} {fate}" for fate, count in counts.most_common())]
    lines += [f"{row['path']}: {row['fate']}" for row in documents[:SHOWN]]
    lines += [f"and {len(documents) - SHOWN:,} more"] if len(documents) > SHOWN else []
    yield Step("documents", lines, {"fates": dict(counts), "documents": documents})
    yield uses.held_out(recipe, repo, [row["path"] for row in documents if row["fate"].startswith("kept")])
    wanted = {"repo": {repo}}
    for name in recipe.params.annotators:
        table = recipe.made("scores", "score", name, shard)
        scores = [row["score"] for row in lookup.having(table, wanted, ["score"])]
        mean = float(np.mean(scores)) if scores else None
        words = f"{number(mean)}, the mean of {len(scores):,} documents" if scores else "none"
        known = Step(f"score {name}", [words], {"documents": len(scores), "mean": mean})
        yield known if table.exists() else absent(known.name, table)
    of_shards = {"shard": {recipe.shards.index(shard)}, **wanted}  # selections are sorted by shard
    for name in recipe.params.selections:
        path = recipe.made("selection", "select", name)
        yield _counted(f"selection {name}", path, lookup.having(path, of_shards, ["tokens"]))
    clean = str(recipe.made("documents", "decontaminate", shard))
    sets: dict[str, list[Path]] = {}
    for job in recipe.graph.jobs:
        if job.stage == "pack" and clean in job.inputs["documents"]:
            sets.setdefault(job.artifact, []).append(Path(job.outputs["index"]))
    holding = []
    for name, indexes in sets.items():
        found = lookup.over(indexes, lambda path: lookup.having(path, wanted, ["tokens"]))
        holding += [{"index": str(index)} for index, rows in zip(indexes, found, strict=True) if rows]
        if any(found) or not indexes[0].exists():
            yield _counted(name, indexes[0], [row for rows in found for row in rows])
    yield uses.models(recipe, holding, whole=all(index.exists() for indexes in sets.values() for index in indexes))


def left_out(recipe: Recipe, stated: Rows, path: str) -> Iterator[Step]:
    """What can be said of a file of a known repository that is no document."""
    repo, shards = stated[0]["repo"], sorted({row["shard"] for row in stated})
    lines = [
        f"{path} is no document: either {repo} has no such file, or collect left it out",
        "which reason was this file's cannot be told: collect counts what it leaves out and lists it nowhere",
        *_stated(stated),
    ]
    documents = recipe.documents(recipe.shard_of(repo))
    paths = {row["path"] for row in lookup.having(documents, {"repo": {repo}}, ["path"])}
    near = difflib.get_close_matches(path, paths)
    lines += [f"near it: {', '.join(f'{repo}/{one}' for one in near)}"] if near else []
    yield Step("collected", lines, {"stated": stated, "near": near})
    for shard in shards:
        told = recipe.facts("collect", shard)
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in told["dropped"].items()) if told else "its receipt is not here"
        yield Step(f"shard {shard}", [f"left out, of all repositories in it: {reasons}"], {"dropped": told and told["dropped"]})


def _stated(stated: Rows) -> list[str]:
    return [
        f"source {row['source']}, {row['license'] or 'no licence'} by {row['found_in'] or 'nothing'}: {row['files']:,} source files, "
        f"{row['documents']:,} documents"
        for row in stated
    ]


def _fates(recipe: Recipe, repo: str, shard: str) -> Rows:
    """The documents of a repository in a shard with the `fate` of each."""
    rows = lookup.having(recipe.documents(shard), {"repo": {repo}}, ["id", "path", "language", "size"])
    documents = [{"address": f"{shard}:{row['number']}", **row, "fate": "collected, not filtered yet"} for row in rows]
    decisions, copies = recipe.made("decisions", "filter", shard), recipe.read("duplicates", "unique", shard)
    if not documents or not decisions.exists():
        return documents
    place = np.cumsum(lookup.column(decisions, "kept").to_numpy()) - 1  # of kept ones in corpus/filtered
    decided = lookup.at(decisions, [row["number"] for row in rows], ["kept", "reason"])
    kept = {int(place[row["number"]]) for row in decided if row["kept"]}
    copied = {row["row"]: row["method"] for row in lookup.having(copies, {"row": kept}, ["row", "method"])}
    redactions = recipe.redactions(shard)
    known = lookup.at(redactions, sorted(kept), ["id"]) if redactions and redactions.exists() else []
    renamed = {row["number"]: row["id"] for row in known}  # what later tables call a redacted document
    matches = recipe.made("matches", "decontaminate", shard)
    matched = {row["id"] for row in lookup.having(matches, {"repo": {repo}}, ["id"])}
    for document, row in zip(documents, decided, strict=True):
        row_now = int(place[document.pop("number")])
        method = copied.get(row_now)
        if not row["kept"]:
            document["fate"] = f"dropped by {row['reason']}"
        elif method:
            document["fate"] = f"dropped as {method} copy"
        elif renamed.get(row_now, document["id"]) in matched:
            document["fate"] = "dropped, matches a benchmark"
        else:
            document["fate"] = "kept" if matches.exists() else "kept so far"
    return documents


def _counted(name: str, path: Path, rows: Rows) -> Step:
    if not path.exists():
        return absent(name, path)
    tokens = [row["tokens"] for row in rows]
    return Step(name, [f"{len(tokens):,} documents, {sum(tokens):,} tokens"], {"documents": len(tokens), "tokens": sum(tokens)})

"""The way of one document through the stages of the corpus, step by step, until one drops it; `snow.trace.uses` goes on from there.

Each step is told by the tables and receipts that lie here. What has not been made is said; what would be made anew now is for
`snow why` to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from snow.corpus import rules, side_by_side
from snow.corpus.redact import KINDS
from snow.errors import SnowError
from snow.trace import find, lookup
from snow.trace.find import Document
from snow.trace.lookup import Recipe, Rows

COPIES = 5  # of a cluster that are named
SHOWN = 5  # matches with benchmarks whose lines are shown; as JSON all are


@dataclass(frozen=True)
class Step:
    """One step: its name, what happened in lines to read and as JSON types, and whether the way ends there."""

    name: str
    lines: list[str]
    facts: Mapping[str, Any] = field(default_factory=dict)
    ends: bool = False


def absent(name: str, path: Path, about: str = "") -> Step:
    """A step that has not been taken here."""
    return Step(name, [f"{about}not yet: {path} does not exist"], {"missing": str(path)})


def number(value: Any) -> str:
    """A signal or score as it is read."""
    return f"{value:.4g}" if isinstance(value, float) else f"{value:,}" if type(value) is int else str(value).lower()


def way(recipe: Recipe, one: Document) -> Iterator[Step]:
    """The steps of a document up to the decontaminated corpus; the last one `ends` where a stage drops it."""
    yield _collected(recipe, one)
    path = recipe.made("signals", "measure", one.shard)
    signals = _aligned(path, one)
    yield _measured(signals) if signals else absent("signals", path)
    decided = _filtered(recipe, one, signals or {})
    yield decided
    if decided.ends:
        return
    if recipe.params.redaction:
        yield _redacted(recipe, one)
    one = as_redacted(recipe, one)
    for step in (_clustered, _decontaminated):
        taken = step(recipe, one)
        yield taken
        if taken.ends:
            return


def as_redacted(recipe: Recipe, one: Document) -> Document:
    """A document that passed the filters, under the id by which later stages know it."""
    found = _redaction(recipe, one)
    return replace(one, id=found["id"]) if found else one


def _aligned(path: Path, one: Document) -> dict[str, Any] | None:
    """The document's row of a table that has one for each document of its shard, None when there is no such table."""
    if not path.exists():
        return None
    row = lookup.at(path, [one.row])[0]
    if row.pop("id") != one.id:
        raise SnowError(f"row {one.row} of {path} is another document than was collected there; run `snakemake all`, then trace again")
    return {name: value for name, value in row.items() if name != "number"}


def _collected(recipe: Recipe, one: Document) -> Step:
    stated = [row for row in find.repositories(recipe, [one.repo]) if row["license"] == one.license]
    lines = [f"{one.language}, {one.size:,} bytes, document {one.id} at {one.address}"]
    for source in dict.fromkeys(row["source"] for row in stated):  # which file's statement counts for which of them is not kept
        where = dict.fromkeys(row["found_in"] for row in stated if row["source"] == source)
        lines.append(f"source {source}, {one.license} by {' or '.join(where)}")
    sources = [{name: row[name] for name in ("source", "found_in")} for row in stated]
    return Step("collected", lines, {**one.facts(), "stated": sources})


def _measured(signals: Mapping[str, Any]) -> Step:
    known = {name: value for name, value in signals.items() if value not in (None, "")}
    return Step("signals", [", ".join(f"{name} {number(value)}" for name, value in known.items())], known)


def _filtered(recipe: Recipe, one: Document, signals: Mapping[str, Any]) -> Step:
    path = recipe.made("decisions", "filter", one.shard)
    decided = _aligned(path, one)
    if decided is None:
        return absent("filter", path)
    if decided["kept"]:
        return Step("filter", ["kept"], decided)
    in_force = {rule.name: (rule, limit) for rule, limit in rules.limits(recipe.params.filters, one.language)}
    lines = []
    for name in decided["rules"]:
        rule, limit = in_force.get(name, (None, None))
        compared = f" {number(limit)}: {rule.signal} is {number(signals[rule.signal])}" if rule and rule.signal in signals else ""
        lines.append(f"{'also' if lines else 'dropped'} by {name}{compared}")
    return Step("filter", lines, decided, ends=True)


def _redaction(recipe: Recipe, one: Document) -> dict[str, Any] | None:
    """The document's row of the table of redactions, None while there is none."""
    path, decisions = recipe.redactions(one.shard), recipe.made("decisions", "filter", one.shard)
    if path is None or not path.exists() or not decisions.exists():
        return None
    found = lookup.at(path, [_row_of_kept(decisions, one)])[0]
    if found.pop("original") != one.id:
        raise SnowError(f"{path} has another document than {one.id} in row {found['number']}; run `snakemake all`, then trace again")
    return found


def _row_of_kept(decisions: Path, one: Document) -> int:
    """The row of a document that passed the filters among those that did."""
    return pc.sum(lookup.column(decisions, "kept")[: one.row]).as_py() or 0


def _redacted(recipe: Recipe, one: Document) -> Step:
    found = _redaction(recipe, one)
    if found is None:
        return absent("redacted", Path(recipe.redactions(one.shard) or ""))
    kinds = {kind: found[kind] for kind in KINDS if found[kind]}
    words = ", ".join(f"{kind} {count:,}" for kind, count in kinds.items())
    return Step("redacted", [f"{words}; since then document {found['id']}" if kinds else "nothing"], {"kinds": kinds, "id": found["id"]})


def _clustered(recipe: Recipe, one: Document) -> Step:
    """The document's cluster. Only for one that is in a cluster the other shards are looked at."""
    path, decisions = recipe.read("duplicates", "unique", one.shard), recipe.made("decisions", "filter", one.shard)
    if missing := next((needed for needed in (path, decisions) if not needed.exists()), None):
        return absent("duplicates", missing)
    row = _row_of_kept(decisions, one)  # by which the table counts
    own = next(iter(lookup.having(path, {"row": {row}})), None)
    if own is None:
        return Step("duplicates", ["none"], {"copies": 1})
    if own["id"] != one.id:
        raise SnowError(f"{path} has another document than {one.id} in row {row}; run `snakemake all`, then trace again")
    tables = [recipe.read("duplicates", "unique", shard) for shard in recipe.shards]
    found = lookup.over(tables, lambda table: lookup.having(table, {"cluster": {own["cluster"]}}, ["shard", "row", "method", "survivor"]))
    members = [entry for entries in found for entry in entries if (entry["shard"], entry["row"]) != (own["shard"], row)]
    facts = {"cluster": own["cluster"], "copies": len(members) + 1, "method": own["method"], "survivor": own["survivor"]}
    if not own["survivor"]:
        first = _named(recipe, [entry for entry in members if entry["survivor"]])
        line = f"dropped as {own['method']} copy of {first[0]}, which survives out of {len(members) + 1}"
        return Step("duplicates", [line], {**facts, "survives": first[0]}, ends=True)
    named = _named(recipe, members[:COPIES])
    more = f" and {len(members) - COPIES} more" if len(members) > COPIES else ""
    return Step("duplicates", [f"survives out of {len(members) + 1}; dropped: {', '.join(named)}{more}"], {**facts, "named": named})


def _named(recipe: Recipe, entries: Rows) -> list[str]:
    """REPOSITORY/PATH of rows of the filtered corpus."""
    found = []
    for entry in entries:
        path = recipe.read("documents", "unique", recipe.shards[entry["shard"]])
        row = lookup.at(path, [entry["row"]], ["repo", "path"])[0]
        found.append(f"{row['repo']}/{row['path']}")
    return found


def _decontaminated(recipe: Recipe, one: Document) -> Step:
    path = recipe.made("matches", "decontaminate", one.shard)
    if not path.exists():
        return absent("benchmarks", path)
    names = ["suite", "task_id", "method", "matches", "text_sha256", "line", "document_lines", "task_lines"]
    found = lookup.having(path, {"id": {one.id}, "repo": {one.repo}, "path": {one.path}}, names)
    if not found:
        return Step("benchmarks", ["no match"], {"matches": []})
    lines = []
    for number, row in enumerate(found):
        lines.append(f"dropped: {row['suite']} {row['task_id']} by {row['method']}, {row['matches']} of its texts")
        if number < SHOWN:
            lines += side_by_side.columns(side_by_side.Pair(row["line"], row["document_lines"], row["task_lines"]))
    return Step("benchmarks", lines, {"matches": [{name: row[name] for name in names} for row in found]}, ends=True)

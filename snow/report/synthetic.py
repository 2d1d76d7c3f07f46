"""The synthesis section: what was asked of the generator, what came back, and why answers were dropped."""

from __future__ import annotations

from snow.report.charts import Bar, bars
from snow.report.content import Column, Figure, Section, Table
from snow.report.format import cell, count, percent, size
from snow.report.receipts import Receipts, pick

REASONS = {  # in the order they apply
    "refused": "ended neither by itself nor at the token limit",
    "truncated": "cut by the token limit",
    "empty": "holds no code",
    "too_short": "too short",
    "too_long": "too long",
    "repetitive": "repeats itself",
    "unparsable": "Python that does not parse",
    "copies_seed": "copies its seed",
    "duplicate": "duplicate of an earlier answer",
    "contaminated": "contains a benchmark's text",
    "language_share": "surplus over Python's share",
}


def section(receipts: Receipts) -> Section:
    """Receipts of generate and refine are required."""
    shards = receipts.instances("generate")
    asked, refined = receipts.total("generate"), receipts.one("refine")
    models = sorted({str(facts["model"]) for facts in shards.values() if facts.get("model")})
    shares = pick(refined, "python_share") or {}
    words = (
        f"{' and '.join(models) or 'The generator'} was asked {count(asked['requests'])} times for a file inspired by lines of a "
        f"selected document, with {'at most ' if len(shards) > 1 else ''}{count(asked['seed_documents'])} different documents to draw "
        f"on. {count(refined['documents'])} of {count(refined['generations'])} answers are used, {size(refined['bytes'])}. Python was "
        f"to have {cell(shares.get('wanted'), 'fraction')} of the bytes and has {cell(shares.get('achieved'), 'fraction')}."
    )
    return Section("synthesis", "Synthetic data", [words, _figure(receipts), _answers(receipts), _languages(receipts)])


def _outcomes(receipts: Receipts) -> list[tuple[str, int]]:
    """(outcome, answers): those used, then the dropped by reason, in the order the reasons apply."""
    refined = receipts.one("refine")
    order = {reason: place for place, reason in enumerate(REASONS)}
    dropped = sorted(refined["dropped"].items(), key=lambda item: order.get(item[0], len(order)))
    return [("used", refined["documents"]), *((REASONS.get(reason) or reason, number) for reason, number in dropped)]


def _figure(receipts: Receipts) -> Figure:
    total = receipts.one("refine")["generations"] or 1
    rows = [
        Bar(name, number, f"{count(number)} ({percent(number / total)})", 3 if name == "used" else 0)
        for name, number in _outcomes(receipts)
        if number or name == "used"
    ]
    title = "What became of the answers"
    return Figure(title, (bars(rows, name=title),), "Each answer once, under the first reason that applied.")


def _answers(receipts: Receipts) -> Table:
    total = receipts.one("refine")["generations"]
    rows = tuple((name, number, number / total if total else None) for name, number in _outcomes(receipts))
    columns = (Column("outcome", "outcome", "text"), Column("answers", "answers"), Column("share", "share", "fraction"))
    asked, refined = receipts.total("generate"), receipts.one("refine")
    finished = ", ".join(f"{reason} {count(number)}" for reason, number in asked["finished"].items())
    notes = (
        f"How the generator ended its answers: {finished or 'not measured'}. Tokens it wrote: "
        f"{cell(pick(asked, 'completion_tokens'), 'count')}.",
        f"Answers without a code block, taken whole: {cell(pick(refined, 'unfenced'), 'count')}. Documents used without a syntax check, "
        f"because they are not Python: {cell(pick(refined, 'unparsed'), 'count')}. No synthetic program was executed.",
    )
    return Table("synthesis", "Answers", columns, rows, notes, strong=frozenset({0}))


def _languages(receipts: Receipts) -> Table:
    asked, kept = receipts.total("generate")["languages"], receipts.one("refine")["languages"]
    columns = (
        Column("language", "language", "text"),
        Column("requests", "asked for"),
        Column("documents", "used"),
        Column("bytes", "bytes", "bytes"),
    )
    names = sorted({*asked, *kept}, key=lambda name: (-(pick(kept, name, "bytes") or 0), -asked.get(name, 0), name))
    rows = tuple((name, asked.get(name, 0), pick(kept, name, "documents") or 0, pick(kept, name, "bytes") or 0) for name in names)
    return Table("synthesis_languages", "Synthetic documents by language", columns, rows)

"""The synthesis section: what was asked of the generator, what came back, and why answers were dropped."""

from __future__ import annotations

from snow.report.charts import Bar, bars
from snow.report.content import Figure, Section, Table, columns
from snow.report.format import cell, count, percent, size
from snow.report.receipts import Facts, pick
from snow.report.run import Run

REASONS = {  # in the order they apply
    "refused": "ended neither by itself nor at the token limit",
    "truncated": "cut by the token limit",
    "unanswered": "ended inside its reasoning",
    "empty": "holds no code",
    "too_short": "too short",
    "too_long": "too long",
    "repetitive": "repeats itself",
    "unparsable": "does not parse",
    "copies_seed": "copies its seed",
    "duplicate": "duplicate of an earlier answer",
    "contaminated": "contains a benchmark's text",
    "language_share": "surplus over Python's share",
}


def section(run: Run) -> list[Section]:
    """Receipts of requests, generate and refine are required; a recipe without synthetic documents has no such section."""
    blocks = [block for name in run.synthetic_sets for block in _blocks(run, name)]
    return [Section("synthesis", "Synthetic data", blocks)] if blocks else []


def _blocks(run: Run, name: str) -> list[str | Table | Figure]:
    shards = run.receipts.instances("generate", f"{name}/")
    asked, refined = run.receipts.total("generate", f"{name}/"), run.receipts.one("refine", name)
    documents = run.receipts.one("requests", name)["seed_documents"]
    models = sorted({str(facts["model"]) for facts in shards.values() if facts.get("model")})
    shares = pick(refined, "python_share") or {}
    words = (
        f"For {name}, {' and '.join(models) or 'the generator'} was asked {count(asked['requests'])} times for a file inspired by lines of "
        f"a selected document, with {count(documents)} different documents to draw on. {count(refined['documents'])} of "
        f"{count(refined['generations'])} answers are used, {size(refined['bytes'])}. Python was to have "
        f"{cell(shares.get('wanted'), 'fraction')} of the bytes and has {cell(shares.get('achieved'), 'fraction')}."
    )
    return [words, _figure(name, refined), _answers(name, asked, refined), _languages(name, asked["languages"], refined["languages"])]


def _outcomes(refined: Facts) -> list[tuple[str, int]]:
    """(outcome, answers): those used, then the dropped by reason, in the order the reasons apply."""
    order = {reason: place for place, reason in enumerate(REASONS)}
    dropped = sorted(refined["dropped"].items(), key=lambda item: order.get(item[0], len(order)))
    return [("used", refined["documents"]), *((REASONS.get(reason) or reason, number) for reason, number in dropped)]


def _figure(name: str, refined: Facts) -> Figure:
    total = refined["generations"] or 1
    rows = [
        Bar(outcome, number, f"{count(number)} ({percent(number / total)})", 3 if outcome == "used" else 0)
        for outcome, number in _outcomes(refined)
        if number or outcome == "used"
    ]
    title = f"What became of the answers for {name}"
    return Figure(title, (bars(rows, name=title),), "Each answer once, under the first reason that applied.")


def _answers(name: str, asked: Facts, refined: Facts) -> Table:
    total = refined["generations"]
    rows = [(outcome, number, number / total if total else None) for outcome, number in _outcomes(refined)]
    heads = [*columns("text", outcome="outcome"), *columns("count", answers="answers"), *columns("fraction", share="share")]
    finished = ", ".join(f"{reason} {count(number)}" for reason, number in asked["finished"].items())
    unchecked = ", ".join(f"{language} {count(number)}" for language, number in (pick(refined, "unchecked") or {}).items())
    notes = (
        f"How the generator ended its answers: {finished or 'not measured'}. Tokens it wrote: "
        f"{cell(pick(asked, 'completion_tokens'), 'count')}.",
        f"Answers that began with reasoning, which was set aside: {cell(pick(refined, 'reasoned'), 'count')}; without a code block, taken "
        f"whole: {cell(pick(refined, 'unfenced'), 'count')}. Every document used was parsed, but for those in languages without a parser "
        f"here: {unchecked or 'none'}. No synthetic program was executed.",
    )
    return Table(f"synthesis:{name}", f"Answers for {name}", heads, rows, notes, strong=frozenset({0}))


def _languages(name: str, asked: Facts, kept: Facts) -> Table:
    heads = [*columns("text", language="language"), *columns("count", requests="asked for", documents="used", unparsable="do not parse")]
    names = sorted({*asked, *kept}, key=lambda one: (-(pick(kept, one, "bytes") or 0), -asked.get(one, 0), one))
    rows = [
        (one, asked.get(one, 0), *(pick(kept, one, *what) or 0 for what in (("documents",), ("dropped", "unparsable"), ("bytes",))))
        for one in names
    ]
    return Table(f"synthesis_languages:{name}", f"Documents of {name} by language", [*heads, *columns("bytes", bytes="bytes")], rows)

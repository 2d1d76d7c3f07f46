"""The pass@1 part of the evaluation: each model on each suite with its interval, beside what the paper printed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from snow.errors import SnowError
from snow.report import paper
from snow.report.content import Column, Section, Table
from snow.report.format import count, short
from snow.report.receipts import Receipts, pick
from snow.report.training import MODELS

# phi-1's study has 350M parameters solve 12% of HumanEval after 200B tokens of unfiltered code; these lie far below.
SMALL_PARAMETERS, SMALL_TOKENS = 50_000_000, 1_000_000_000

Verdicts = Mapping[tuple[str, str], Sequence[Mapping[str, Any]]]  # by (model, suite)


def read_verdicts(paths: Iterable[Path]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """`eval/MODEL/SUITE/verdicts.jsonl` by (model, suite). A broken file is a SnowError naming it."""
    found = {}
    for path in paths:
        try:
            rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
            found[path.parent.parent.name, path.parent.name] = [{"task_id": row["task_id"], "status": row["status"]} for row in rows]
        except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
            raise SnowError(
                f"{path} is not a file of verdicts ({error!r}); judge {path.parent.parent.name}/{path.parent.name} again"
            ) from None
    return found


def judged(receipts: Receipts) -> list[tuple[str, str, Mapping[str, Any]]]:
    """(suite, model, facts) of every judge receipt: suites by name, models in the recipe's order."""
    found = [(instance.partition("/")[2], instance.partition("/")[0], facts) for instance, facts in receipts.instances("judge").items()]
    return sorted(found, key=lambda one: (one[0], list(MODELS).index(one[1]) if one[1] in MODELS else len(MODELS), one[1]))


def solved(receipts: Receipts) -> int:
    """How many samples passed everything they were tested on, over all models and suites."""
    return sum(facts["statuses"].get("pass", 0) for _, _, facts in judged(receipts))


def section(receipts: Receipts, verdicts: Verdicts) -> Section:
    """Receipts of judge are required; verdicts must be theirs."""
    _check(receipts, verdicts)
    blocks: list[str | Table] = [verdict(receipts)]
    unsafe = [f"{model}/{suite}" for suite, model, facts in judged(receipts) if pick(facts, "sandboxed") is False]
    if unsafe:
        blocks.append(f"Judged without a sandbox, because evaluation.judging.allow_unsandboxed is set: {', '.join(unsafe)}.")
    return Section("pass", "Programs that pass: pass@1", [*blocks, _rates(receipts), *_solved(verdicts), _completions(receipts), _paper()])


def verdict(receipts: Receipts) -> str:
    """The result in a sentence that is right whether or not anything passes."""
    facts = receipts.one("pretrain", "phase1")
    samples = sum(facts["samples"] for _, _, facts in judged(receipts))
    passed = solved(receipts)
    if passed:
        return (
            f"{count(passed)} of {count(samples)} programs pass, over all models and suites. Rates are with 95% intervals; where two "
            "intervals overlap, the difference between two rows is not evidence of a difference between models."
        )
    if not small(receipts):
        return (
            f"None of {count(samples)} programs passes. The suites' own solutions do, so the checker works; for a model of this size "
            "look at its completions under eval/ first. The intervals say how little a rate of 0 excludes."
        )
    return (
        f"None of {count(samples)} programs passes. A model this small ({short(facts['parameters'])} parameters, "
        f"{short(trained_tokens(receipts))} tokens over three phases) does not write programs that pass tests, so pass@1 is 0 "
        "throughout and cannot rank the phases; the intervals say how little it excludes. Bits per byte, below, is the signal at this "
        "scale."
    )


def trained_tokens(receipts: Receipts) -> int:
    """Tokens the last model has seen, over its three phases."""
    return sum(receipts.one("pretrain", model)["tokens"] for model in ("phase1", "phase2", "phase3"))


def small(receipts: Receipts) -> bool:
    """Whether nothing that passes is what to expect: less than SMALL_PARAMETERS or SMALL_TOKENS."""
    return receipts.one("pretrain", "phase1")["parameters"] < SMALL_PARAMETERS or trained_tokens(receipts) < SMALL_TOKENS


def _check(receipts: Receipts, verdicts: Verdicts) -> None:
    for suite, model, facts in judged(receipts):
        rows = verdicts.get((model, suite))
        if rows is not None and sum(row["status"] == "pass" for row in rows) != facts["statuses"].get("pass", 0):
            raise SnowError(
                f"eval/{model}/{suite}/verdicts.jsonl and receipts/judge/{model}/{suite}.json are of two runs; run `snakemake all`"
            )


def _rates(receipts: Receipts) -> Table:
    columns = (
        Column("suite", "suite", "text"),
        Column("tests", "tests", "text"),
        Column("model", "model", "text"),
        Column("passed", "passed"),
        Column("samples", "samples"),
        Column("value", "pass@1", "fraction"),
        Column("low", "from", "fraction", "95% interval"),
        Column("high", "to", "fraction", "95% interval"),
        Column("parsed", "parsed", group="whole samples"),
        Column("timeout", "timed out", group="whole samples"),
        Column("error", "broke the checker", group="whole samples"),
    )
    rows = []
    for suite, model, facts in judged(receipts):
        for part, rate in facts["pass@1"].items():
            numbers = (rate["passed"], rate["samples"], rate["value"], rate["low"], rate["high"], pick(facts, "parsed"))
            rest = (facts["statuses"].get("timeout", 0), facts["statuses"].get("error", 0))
            rows.append((suite, part, MODELS.get(model, model), *numbers, *rest))
    harness = [pick(facts, "canonical") for _, _, facts in judged(receipts)]
    checked, passed = (sum(pick(one or {}, key) or 0 for one in harness) for key in ("checked", "passed"))
    partial = any(facts["samples"] < (pick(facts, "tasks") or 0) for _, _, facts in judged(receipts))
    limited = ("Only the first tasks of a suite were tried, see evaluation.completion.limit; such a rate is not the suite's pass@1.",)
    notes = (
        *(limited if partial else ()),
        "One greedy completion per task; the intervals are Wilson's. A suite's further tests count for what passed those before them.",
        f"Judged by the suites' own checkers. The suites' reference solutions went through the same way first: {count(passed)} of "
        f"{count(checked)} passed.",
    )
    return Table("pass", "pass@1", columns, tuple(rows), notes)


def _completions(receipts: Receipts) -> Table:
    columns = (
        Column("suite", "suite", "text"),
        Column("model", "model", "text"),
        Column("completions", "completions"),
        Column("tokens", "tokens written"),
        Column("empty", "empty"),
        Column("truncated_prompts", "prompts cut to fit"),
        Column("endings", "ended by", "text"),
    )
    rows = []
    for suite, model, _ in judged(receipts):
        facts = receipts.one("complete", f"{model}/{suite}")
        endings = ", ".join(f"{ending} {count(number)}" for ending, number in (pick(facts, "endings") or {}).items())
        rows.append((suite, MODELS.get(model, model), *(pick(facts, column.key) for column in columns[2:6]), endings or None))
    return Table("completions", "Completions", columns, tuple(rows), folded=True)


def _solved(verdicts: Verdicts) -> list[Table]:
    by_task: dict[tuple[str, str], list[str]] = {}
    for model in MODELS:
        for (of, suite), rows in sorted(verdicts.items()):
            for row in rows if of == model else ():
                if row["status"] == "pass":
                    by_task.setdefault((suite, str(row["task_id"])), []).append(MODELS[model])
    if not by_task:
        return []
    columns = (Column("suite", "suite", "text"), Column("task", "task", "text"), Column("models", "solved by", "text"))
    return [
        Table("solved", "Tasks solved", columns, tuple((*task, ", ".join(names)) for task, names in sorted(by_task.items())), folded=True)
    ]


def _paper() -> Table:
    columns = (
        Column("model", "model", "text"),
        Column("tokens", "training tokens", "text"),
        *(Column(name, name, "percent") for name in paper.SUITES),
    )
    own = frozenset(index for index, row in enumerate(paper.TABLE_2) if row[0].startswith("Arctic"))
    return Table("paper", "For orientation: the paper's Table 2, pass@1 in percent", columns, paper.TABLE_2, paper.NOTES, strong=own)

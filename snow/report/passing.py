"""The pass@1 part of the evaluation: each model on each suite with its interval, beside what the paper printed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from snow import paper
from snow.errors import SnowError
from snow.report.content import Column, Section, Table, columns
from snow.report.format import count, short
from snow.report.receipts import pick
from snow.report.run import Run

# phi-1's study has 350M parameters solve 12% of HumanEval after 200B tokens of unfiltered code; these lie far below.
SMALL_PARAMETERS, SMALL_TOKENS = 50_000_000, 1_000_000_000


def judged(run: Run) -> list[tuple[str, str, Mapping[str, Any]]]:
    """(suite, model, facts) of every judge receipt: suites by name, models in declared order, those of others behind them."""
    return [(suite, model, run.receipts.one("judge", f"{model}/{suite}")) for suite in run.suites for model in run.measured]


def rates(facts: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """pass@1 by part or category, the categories' mean behind them: a receipt's keys are in alphabetical order."""
    return dict(sorted(facts["pass@1"].items(), key=lambda item: item[0] == "mean"))


def solved(run: Run) -> int:
    """How many samples passed everything they were tested on, over all models trained here and all suites."""
    return sum(facts["statuses"].get("pass", 0) for _, model, facts in judged(run) if model in run.models)


def section(run: Run) -> Section:
    """Receipts of judge and complete are required; verdicts must be theirs."""
    for suite, model, facts in judged(run):
        if sum(row["status"] == "pass" for row in run.verdicts[f"{model}/{suite}"]) != facts["statuses"].get("pass", 0):
            raise SnowError(
                f"eval/{model}/{suite}/verdicts.jsonl and receipts/judge/{model}/{suite}.json are of two runs; run `snakemake all`"
            )
    blocks: list[str | Table] = [verdict(run)]
    unsafe = [f"{model}/{suite}" for suite, model, facts in judged(run) if pick(facts, "sandboxed") is False]
    if unsafe:
        blocks.append(f"Judged without a sandbox, because evaluation.judging.allow_unsandboxed is set: {', '.join(unsafe)}.")
    blocks += _empty(run)
    return Section("pass", "Programs that pass: pass@1", [*blocks, _rates(run), *_more(run), *_solved(run), _completions(run), _paper()])


def verdict(run: Run) -> str:
    """The result in a sentence that is right whether or not anything passes."""
    samples = sum(facts["samples"] for _, model, facts in judged(run) if model in run.models)
    passed = solved(run)
    if passed:
        return (
            f"{count(passed)} of {count(samples)} programs pass, over all models trained here and all suites. Rates are with 95% "
            "intervals; where two intervals overlap, the difference between two rows is not evidence of a difference between models."
        )
    if not small(run):
        return (
            f"None of {count(samples)} programs passes. The suites' own solutions do, so the checker works; for a model of this size "
            "look at its completions under eval/ first. The intervals say how little a rate of 0 excludes."
        )
    return (
        f"None of {count(samples)} programs passes. A model this small ({short(run.trained(run.last)['parameters'])} parameters, "
        f"{short(run.path_tokens)} tokens over {' → '.join(run.path)}) does not write programs that pass tests, so pass@1 is 0 "
        "throughout and cannot rank the models; the intervals say how little it excludes. The signal at this scale are, below, bits per "
        "byte and how often a right solution is more likely than a broken one."
    )


def _empty(run: Run) -> list[str]:
    """A sentence when models wrote nothing at all where a program was asked for: that costs points which another prompt may give back."""
    facts = [(f"{model} on {suite}", run.receipts.one("complete", f"{model}/{suite}")) for suite, model, _ in judged(run)]
    empty = [f"{name} {count(pick(one, 'empty'))} of {count(pick(one, 'completions'))}" for name, one in facts if pick(one, "empty")]
    if not empty:
        return []
    return [
        f"Some completions are empty and cannot pass: {', '.join(empty)}. A base model may take a prompt without its last newline for "
        "finished; see evaluation.completion.trailing_newline."
    ]


def small(run: Run) -> bool:
    """Whether nothing that passes is what to expect: less than SMALL_PARAMETERS or SMALL_TOKENS."""
    return run.trained(run.last)["parameters"] < SMALL_PARAMETERS or run.path_tokens < SMALL_TOKENS


def _rates(run: Run) -> Table:
    rate_of = [*columns("count", passed="passed", samples="samples", tasks="tasks"), *columns("fraction", value="pass@1")]
    rate_of += columns("fraction", "95% interval", low="from", high="to")
    heads = [*columns("text", suite="suite", tests="tests", model="model"), *rate_of]
    heads += columns("count", "whole samples", parsed="parsed", timeout="timed out", error="broke the checker", again="judged again")
    rows = []
    for suite, model, facts in judged(run):
        for part, rate in rates(facts).items():
            whole = (pick(facts, "parsed"), *(facts["statuses"].get(status, 0) for status in ("timeout", "error")))
            whole += (pick(facts, "judged_again", "samples"),)
            rows.append((suite, part, run.label(model), *(rate[column.key] for column in rate_of), *whole))
    harness = [pick(facts, "canonical") for _, _, facts in judged(run)]
    checked, passed = (sum(pick(one or {}, key) or 0 for one in harness) for key in ("checked", "passed"))
    tried = {of: len({row["task_id"] for row in rows}) for of, rows in run.verdicts.items()}
    partial = any(tried[f"{model}/{suite}"] < (pick(facts, "tasks") or 0) for suite, model, facts in judged(run))
    means = (
        "A suite's mean is that of its categories, each counting as much as another; where they have unequal numbers of tasks its interval "
        "is of 10,000 bootstraps within them.",
    )
    limited = ("Only the first tasks of a suite were tried, see evaluation.completion.limit; such a rate is not the suite's pass@1.",)
    unjudged = (
        "Where the tests are `judged` or `all`: a task whose own solution does not pass in the checker's environment is not judged; "
        "`judged` leaves such tasks out, `all` counts them as not passed.",
    )
    notes = (
        *(limited if partial else ()),
        *(unjudged if any("all" in facts["pass@1"] for _, _, facts in judged(run)) else ()),
        *(means if any("mean" in facts["pass@1"] for _, _, facts in judged(run)) else ()),
        "The mean over tasks. The intervals are Wilson's where a task has one sample, else of 10,000 bootstraps over tasks. A suite's "
        "further tests count for what passed those before them. What timed out was judged once more, with nothing beside it.",
        f"Judged by the suites' own checkers. The suites' reference solutions went through the same way first: {count(passed)} of "
        f"{count(checked)} passed.",
        *run.compared(),
    )
    return Table("pass", "pass@1", heads, rows, notes)


def _more(run: Run) -> list[Table]:
    """pass@10 and pass@100, of suites of which every task has that many samples."""
    heads = [*columns("text", suite="suite", tests="tests", model="model", k="k"), *columns("fraction", value="pass@k")]
    heads += columns("fraction", "95% interval", low="from", high="to")
    rows = [
        (suite, part, model, key.removeprefix("pass@"), rate["value"], rate["low"], rate["high"])
        for suite, model, facts in judged(run)
        for key in ("pass@10", "pass@100")
        for part, rate in (pick(facts, key) or {}).items()
    ]
    note = "Estimated without bias from all samples of a task (Chen et al. 2021); intervals of 10,000 bootstraps over tasks."
    return [Table("more", "pass@k", heads, rows, (note,))] if rows else []


def _completions(run: Run) -> Table:
    numbers = columns("count", completions="completions", tokens="tokens written", empty="empty", truncated_prompts="prompts cut to fit")
    heads = [*columns("text", suite="suite", model="model"), *numbers, *columns("text", endings="ended by")]
    rows = []
    for suite, model, _ in judged(run):
        facts = run.receipts.one("complete", f"{model}/{suite}")
        endings = ", ".join(f"{ending} {count(number)}" for ending, number in (pick(facts, "endings") or {}).items())
        rows.append((suite, run.label(model), *(pick(facts, column.key) for column in numbers), endings or None))
    return Table("completions", "Completions", heads, rows, folded=True)


def _solved(run: Run) -> list[Table]:
    by_task: dict[tuple[str, str], list[str]] = {}
    for suite, model, _ in judged(run):
        for row in run.verdicts[f"{model}/{suite}"]:
            if row["status"] == "pass":
                by_task.setdefault((suite, str(row["task_id"])), []).append(run.label(model))
    if not by_task:
        return []
    rows = [(*task, ", ".join(names)) for task, names in sorted(by_task.items())]
    return [Table("solved", "Tasks solved", columns("text", suite="suite", task="task", models="solved by"), rows, folded=True)]


def _paper() -> Table:
    table = paper.TABLES["2"]
    heads = [*columns("text", model="model"), *(Column(name, name, paper.kind(name)) for name in table.columns)]
    rows = [(name, *scores) for name, scores in table.rows.items()]
    own = frozenset(index for index, row in enumerate(rows) if row[0].startswith("Arctic"))
    notes = (paper.SCALE, paper.CONTRADICTIONS)
    return Table("paper", "For orientation: the paper's Table 2, pass@1 in percent", heads, rows, notes, strong=own)

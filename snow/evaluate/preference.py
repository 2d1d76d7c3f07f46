"""Stage `preference`: whether a model thinks a task's right solution more likely than the broken ones of `snow.evaluate.mutants`.

It moves long before the first task is solved, and has a floor that is known: a model that knows nothing is right about half of the
pairs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from snow.errors import SnowError
from snow.evaluate import loading, scores
from snow.evaluate.likelihood import check_window, scored
from snow.evaluate.loading import Checkpoint
from snow.evaluate.spans import solution_spans
from snow.suites.tasks import Task, read_suite

if TYPE_CHECKING:
    from snow.job import Job
    from snow.schema import Preference

DIGITS = 3  # of a log-likelihood in nats; what float32 gives whatever the batch, and what differs by less is a tie


class Params(Protocol):
    preference: Preference
    sequence_length: int  # evaluation.bits.sequence_length: the context is that of bits per byte


def run(job: Job[Params]) -> dict[str, Any]:
    """Write `preference`: for every task that has mutants its `task_id`, the log-likelihoods in nats of the `right` solution and of
    each `broken` one given the prompt, and `preferred`, the share of the broken ones that are less likely, a tie counting half.

    The facts are the mean of these shares over tasks with its 95% interval, of 10,000 bootstraps over tasks; null without any task.
    """
    tasks = {task.task_id: task for task in read_suite(job.input("suite"))}
    mutants = read_mutants(job.input("mutants"), tasks)
    loaded = loading.load(job.input("model"), job.threads)
    check_window(loaded, job.params.sequence_length)
    solutions = {of: [tasks[of].solution, *broken] for of, broken in mutants.items()}
    told = log_likelihoods(loaded, tasks, solutions, job.params.sequence_length, job.params.preference.batch_size)
    rows = [
        {"task_id": of, "right": right, "broken": broken, "preferred": preferred(right, broken)} for of, (right, *broken) in told.items()
    ]
    with job.output("preference").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return summary(rows)


def read_mutants(path: Path, tasks: Mapping[str, Task]) -> dict[str, list[str]]:
    """The broken solutions of each task that has some. SnowError for rows that are no such thing, or of another suite."""
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n")[:-1], 1):
        try:
            row = json.loads(line)
            found[tasks[row["task_id"]].task_id] = [each["solution"] for each in row["broken"]]
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise SnowError(
                f"{path}, row {number}: no mutants of a task of this suite ({error!r}); make them with `snow mutate`"
            ) from error
    return found


def log_likelihoods(
    loaded: Checkpoint, tasks: Mapping[str, Task], solutions: Mapping[str, Sequence[str]], window: int, batch_size: int
) -> dict[str, list[float]]:
    """In nats, of each solution given its task's prompt, rounded to DIGITS."""
    spans = [
        span
        for of, each in solutions.items()
        for place, solution in enumerate(each)
        for span in solution_spans(f"{place} {of}", tasks[of].prompt, solution, loaded, window)
    ]
    print(f"snow: scoring {len(spans)} spans, {sum(len(span.ids) for span in spans)} tokens, on {loaded.device}", file=sys.stderr)
    costs = {f"{place} {of}": 0.0 for of, each in solutions.items() for place in range(len(each))}
    for span, nats in scored(loaded, spans, batch_size):
        costs[span.group] += nats
    return {of: [round(-costs[f"{place} {of}"], DIGITS) for place in range(len(each))] for of, each in solutions.items()}


def preferred(right: float, broken: Sequence[float]) -> float:
    """The share of broken solutions that are less likely than the right one, a tie counting half."""
    return sum((right > each) + (right == each) / 2 for each in broken) / len(broken)


def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The receipt's facts."""
    shares = [row["preferred"] for row in rows]
    low, high = scores.bootstrap(shares) if shares else (None, None)
    return {
        "value": round(sum(shares) / len(shares), 6) if shares else None,
        "low": low,
        "high": high,
        "tasks": len(rows),
        "pairs": sum(len(row["broken"]) for row in rows),
        "ties": sum(each == row["right"] for row in rows for each in row["broken"]),
    }

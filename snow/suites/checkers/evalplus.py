"""HumanEval+ and MBPP+ as EvalPlus 0.3.1 judges them: its data reading, `sanitize`, inputs, limits and rules of comparison.

Its `untrusted_check` compares in the process that ran the solution, so a solution can find the expected results or the comparison
there. Here the canonical solution and the comparison are on this side (`snow.evaluate.examining`), the solution on the other; the
rules are those of evalplus/eval/__init__.py, `unsafe_execute` and `untrusted_check`. One word differs: an input that takes too long
is `timeout`, where EvalPlus says `fail`.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from snow.evaluate.examining import Solution
from snow.suites.checkers.reference import References, reference

PARTS = ("base", "plus")
DATASETS = {"evalplus-humaneval": "humaneval", "evalplus-mbpp": "mbpp"}  # EvalPlus' names
RELATIVE, ABSOLUTE = 1e-7, 1e-6  # tolerances of numpy.allclose; the second where floats are expected and the task names none
SANITIZE_SECONDS = 20  # sanitize compiles every range of lines: quadratic, minutes for a thousand degenerate lines


def problems(name: str, suite: Path) -> dict[str, Any]:
    """See `snow.suites.checkers`. Inputs are Python objects."""
    os.environ["HUMANEVAL_OVERRIDE_PATH"] = os.environ["MBPP_OVERRIDE_PATH"] = str(suite)  # read when evalplus.data is imported
    from evalplus.data import get_human_eval_plus, get_mbpp_plus

    return get_human_eval_plus() if DATASETS[name] == "humaneval" else get_mbpp_plus()


class Examiner:
    """See `snow.suites.checkers`. EvalPlus has limits of its own, so `seconds` is not used."""

    def __init__(self, name: str, seconds: float) -> None:
        self._dataset, self._references = DATASETS[name], References()

    def examine(self, problem: Any, solution: Solution) -> tuple[str, ...]:
        """A status per part. What does not pass the base tests does not pass plus, by EvalPlus' definition: those are not run."""
        base = self._part(problem, "base_input", solution)
        return base, self._part(problem, "plus_input", solution) if base == "pass" else base

    def _part(self, problem: Any, part: str, solution: Solution) -> str:
        program, entry_point, tolerance = problem["prompt"] + problem["canonical_solution"], problem["entry_point"], problem["atol"]

        def right(given: Any, wanted: Any, got: Any) -> bool:
            nonlocal tolerance
            tolerance = tolerance or (ABSOLUTE if _is_floats(wanted) else 0)  # and for all that follow, as there
            return self._right(entry_point, given, wanted, got, tolerance)

        known = self._references.of(problem["task_id"], part, lambda: reference(program, entry_point, problem[part]))
        return known.status(solution, right)

    def _right(self, name: str, given: Any, wanted: Any, got: Any, tolerance: float) -> bool:
        """Whether an output is right: equal, right by the task's own oracle, or near enough."""
        import numpy
        from evalplus.eval import _special_oracle as oracles

        right: Any = got == wanted
        if self._dataset == "humaneval" and name == "find_zero":
            return bool(abs(oracles._poly(*given, got)) <= tolerance)
        if self._dataset == "mbpp":
            match name:
                case "are_equivalent":
                    right = True
                case "sum_div":
                    right = right or got == 0
                case "surface_Area":
                    right = right or abs(got - oracles._surface_Area(*given)) <= tolerance
                case "digit_distance_nums":
                    right = right or got == oracles._digit_distance_nums(*given)
                case _ if name in oracles.MBPP_OUTPUT_SET_EQ_TASKS:
                    right = set(got) == set(wanted)
                case _ if name in oracles.MBPP_OUTPUT_NOT_NONE_TASKS:
                    right = (wanted is not None) == (got if isinstance(got, bool) else got is not None)
        if right or not tolerance:
            return bool(right)
        if type(got) is not type(wanted) or (isinstance(got, list | tuple) and len(got) != len(wanted)):
            return False
        return bool(numpy.allclose(got, wanted, rtol=RELATIVE, atol=tolerance))


def _is_floats(value: Any) -> bool:
    """A float, or a list or tuple of them."""
    return isinstance(value, float) or (isinstance(value, list | tuple) and bool(value) and all(isinstance(one, float) for one in value))


def sanitize(solution: str, entry_point: str) -> str:
    """The code in a completion, as EvalPlus takes it out; as it is when that fails or takes too long."""
    from evalplus.sanitize import sanitize

    previous = signal.signal(signal.SIGALRM, _interrupt)
    signal.alarm(SANITIZE_SECONDS)
    try:
        return sanitize(solution, entry_point)
    except (ValueError, RecursionError, TimeoutError):  # what compile() raises besides the SyntaxError that sanitize expects
        return solution
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


def _interrupt(signum: int, frame: object) -> None:
    raise TimeoutError

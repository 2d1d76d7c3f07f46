"""HumanEval+ and MBPP+ as EvalPlus 0.3.1 judges them: its data reading, `sanitize`, inputs, limits and rules of comparison.

Its `untrusted_check` compares in the process that ran the solution, so a solution can find the expected results or the comparison
there. Here the canonical solution and the comparison are on this side (`snow.evaluate.examining`), the solution on the other; the
rules are those of evalplus/eval/__init__.py, `unsafe_execute` and `untrusted_check`. One word differs: an input that takes too long
is `timeout`, where EvalPlus says `fail`.
"""

from __future__ import annotations

import copy
import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from snow.evaluate import plain
from snow.evaluate.examining import Solution, Stopped

PARTS = ("base", "plus")
DATASETS = {"humaneval+": "humaneval", "mbpp+": "mbpp"}  # EvalPlus' names
# Per input: a second, or four times what the canonical solution took (evalplus/config.py); of a part: a minute and one second.
INPUT_SECONDS, REFERENCE_TIMES, PART_SECONDS = 1.0, 4.0, 60.0
RELATIVE, ABSOLUTE = 1e-7, 1e-6  # tolerances of numpy.allclose; the second where floats are expected and the task names none
SANITIZE_SECONDS = 20  # sanitize compiles every range of lines: quadratic, minutes for a thousand degenerate lines
ITEMS, CHARACTERS = 500_000, 16 << 20  # of a result that is sent
GROWTH = 8  # of a batch of calls over the one before: few exchanges, and little is run after the first wrong answer


def problems(kind: str, suite: Path) -> dict[str, Any]:
    """See `snow.suites.checkers`. Inputs are Python objects."""
    os.environ["HUMANEVAL_OVERRIDE_PATH"] = os.environ["MBPP_OVERRIDE_PATH"] = str(suite)  # read when evalplus.data is imported
    from evalplus.data import get_human_eval_plus, get_mbpp_plus

    return get_human_eval_plus() if DATASETS[kind] == "humaneval" else get_mbpp_plus()


class Examiner:
    """See `snow.suites.checkers`. EvalPlus has limits of its own, so `seconds` is not used."""

    def __init__(self, kind: str, seconds: float) -> None:
        self._dataset = DATASETS[kind]

    def examine(self, problem: Any, solution: Solution) -> tuple[str, ...]:
        """A status per part. What does not pass the base tests does not pass plus, by EvalPlus' definition: those are not run."""
        base = self._part(problem, problem["base_input"], solution)
        return base, self._part(problem, problem["plus_input"], solution) if base == "pass" else base

    def _part(self, problem: Any, inputs: Sequence[Any], solution: Solution) -> str:
        inputs, expected, times, sending = reference(problem, inputs)
        limits = [max(INPUT_SECONDS, REFERENCE_TIMES * taken) for taken in times]
        total = min(PART_SECONDS, sum(limits)) + 1 + REFERENCE_TIMES * sum(sending)
        limits = [limit + REFERENCE_TIMES * taken for limit, taken in zip(limits, sending, strict=True)]
        tolerance = problem["atol"]
        try:
            for begin, end in batches(len(inputs)):
                arguments = plain.dumps([list(given) for given in inputs[begin:end]])
                outputs = solution.calls(arguments, limits[begin:end], None if begin else total)
                for given, wanted, got in zip(inputs[begin:end], expected[begin:end], outputs, strict=True):
                    tolerance = tolerance or (ABSOLUTE if _is_floats(wanted) else 0)  # and for all that follow, as there
                    if not self._right(problem["entry_point"], given, wanted, got, tolerance):
                        return "fail"
        except Stopped as stopped:
            return stopped.status
        except Exception:  # a comparison that the value does not stand: EvalPlus calls it wrong
            return "fail"
        return "pass"

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
                    right = wanted == (got if isinstance(got, bool) else got is not None)
        if right or not tolerance:
            return bool(right)
        if type(got) is not type(wanted) or (isinstance(got, list | tuple) and len(got) != len(wanted)):
            return False
        return bool(numpy.allclose(got, wanted, rtol=RELATIVE, atol=tolerance))


def reference(problem: Any, inputs: Sequence[Any]) -> tuple[list[Any], list[Any], list[float], list[float]]:
    """The inputs that are judged, what the canonical solution returns for each, how many seconds of a processor it took and how many
    to send it. Left out are inputs whose result is too large to be sent: of Mbpp/255 a few, the largest 935 MB as JSON."""
    from evalplus.eval._special_oracle import MBPP_OUTPUT_NOT_NONE_TASKS

    names: dict[str, Any] = {}
    exec(problem["prompt"] + problem["canonical_solution"], names)
    function, judged, results, times, sending = names[problem["entry_point"]], [], [], [], []
    for given in inputs:
        changed = copy.deepcopy(given)
        begun = time.process_time()
        result = function(*changed)
        returned = time.process_time()
        if (isinstance(result, list | tuple | set) and len(result) > ITEMS) or len(plain.dumps([result])) > CHARACTERS:
            continue
        sending.append(time.process_time() - returned)
        times.append(returned - begun)
        results.append(result)
        judged.append(given)
    if problem["entry_point"] in MBPP_OUTPUT_NOT_NONE_TASKS:  # no name of a HumanEval task
        results = [result is not None for result in results]
    return judged, results, times, sending


def batches(count: int) -> Iterator[tuple[int, int]]:
    """(begin, end) of ranges that grow, over `count` places."""
    begin, size = 0, 1
    while begin < count:
        yield begin, min(count, begin + size)
        begin, size = begin + size, size * GROWTH


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

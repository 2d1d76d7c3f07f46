"""EvoEval's categories as the package evoeval 0.1.0 judges them: its rules of comparison and its special oracles.

Limits and rules are those of evoeval/eval_test/__init__.py, `untrusted_check` and `unsafe_execute`, which compares in the process that
ran the solution; here that is on this side, as for EvalPlus' suites. Two more categories, verbose and concise, are HumanEval+ in other
words and judged in another way; they are not read here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from snow.evaluate.examining import Solution, Stopped
from snow.suites.checkers.reference import reference

PARTS = ("base",)
# Per input: a second, or four times what the canonical solution took (evoeval.evaluate's defaults); of a task: a minute and a second.
INPUT_SECONDS, REFERENCE_TIMES, TASK_SECONDS = 1.0, 4.0, 60.0


def problems(name: str, suite: Path) -> dict[str, Any]:
    """See `snow.suites.checkers`."""
    rows = (json.loads(line) for line in suite.read_text(encoding="utf-8").split("\n") if line.strip())
    return {row["task_id"]: row for row in rows}


def sanitize(solution: str, entry_point: str) -> str:
    """The solution as it is, as evoeval.evaluate takes it."""
    return solution


class Examiner:
    """See `snow.suites.checkers`. EvoEval has limits of its own, so `seconds` is not used."""

    def __init__(self, name: str, seconds: float) -> None:
        pass

    def examine(self, problem: Any, solution: Solution) -> tuple[str]:
        """Whether the solution returns what the canonical one does."""
        inputs = [eval(f"[{given}]") for given in problem["inputs"]]  # source text, as the suite's authors give them
        known = reference(f"{problem['prompt']}\n{problem['canonical_solution']}", problem["entry_point"], inputs)
        limits = [max(INPUT_SECONDS, REFERENCE_TIMES * taken) for taken in known.times]
        total = min(TASK_SECONDS, sum(limits)) + 1 + REFERENCE_TIMES * sum(known.sending)
        limits = [limit + REFERENCE_TIMES * taken for limit, taken in zip(limits, known.sending, strict=True)]
        try:
            for places in known.batches():
                some = slice(places.start, places.stop)
                outputs = solution.calls(known.arguments(places), limits[some], None if places.start else total)
                for given, wanted, got in zip(known.inputs[some], known.results[some], outputs, strict=True):
                    if not _right(problem["task_id"], given, wanted, got):
                        return ("fail",)
        except Stopped as stopped:
            return (stopped.status,)
        except Exception:  # an oracle's assertion, or a comparison that the value does not stand
            return ("fail",)
        return ("pass",)


def _right(task_id: str, given: Any, wanted: Any, got: Any) -> bool:
    """Whether an output is right. An oracle raises for a wrong one."""
    import evoeval.eval_test as rules

    match task_id:
        case "difficult/EvoEval/10":
            rules._check_insensitive_palindrome(got, *given, wanted)
        case "difficult/EvoEval/32":
            rules._check_difficult_poly(*given, got, wanted)
        case "creative/EvoEval/26":
            rules._check_maze(*given, got, wanted)
        case "creative/EvoEval/30":
            rules._check_path(*given, got, wanted)
        case "creative/EvoEval/69":
            rules._check_product(*given, got, wanted)
        case "subtle/EvoEval/32":
            rules._check_poly(*given, got)
        case _:
            return rules.is_equal(wanted, got)[0]
    return True

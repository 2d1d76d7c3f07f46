"""EvoEval's categories as the package evoeval 0.1.0 judges them: its rules of comparison and its special oracles.

The rules are those of evoeval/eval_test/__init__.py, `unsafe_execute`, which compares in the process that ran the solution; here that
is on this side, as for EvalPlus' suites. Two more categories, verbose and concise, are HumanEval+ in other words and judged in another
way; they are not read here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from snow.evaluate.examining import Solution
from snow.suites.checkers.reference import reference

PARTS = ("base",)


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
        category, number = problem["category"], int(problem["task_id"].rpartition("/")[2])
        inputs = [eval(f"[{given}]") for given in problem["inputs"]]  # source text, as the suite's authors give them
        known = reference(f"{problem['prompt']}\n{problem['canonical_solution']}", problem["entry_point"], inputs)
        return (known.status(solution, lambda given, wanted, got: _right(category, number, given, wanted, got)),)


def _right(category: str, number: int, given: Any, wanted: Any, got: Any) -> bool:
    """Whether an output is right. An oracle raises for a wrong one."""
    import evoeval.eval_test as rules

    match category, number:
        case "difficult", 10:
            rules._check_insensitive_palindrome(got, *given, wanted)
        case "difficult", 32:
            rules._check_difficult_poly(*given, got, wanted)
        case "creative", 26:
            rules._check_maze(*given, got, wanted)
        case "creative", 30:
            rules._check_path(*given, got, wanted)
        case "creative", 69:
            rules._check_product(*given, got, wanted)
        case "subtle", 32:
            rules._check_poly(*given, got)
        case _:
            return rules.is_equal(wanted, got)[0]
    return True

"""EvoEval's categories as the package evoeval 0.1.0 judges them: its rules of comparison and its special oracles.

The rules are those of evoeval/eval_test/__init__.py, `unsafe_execute`, which compares in the process that ran the solution; here that
is on this side, as for EvalPlus' suites. Two more categories, verbose and concise, are HumanEval+ in other words: suites of their own,
for the checker evalplus-humaneval.
"""

from __future__ import annotations

import copy
import functools
import json
from pathlib import Path
from typing import Any

from snow.evaluate.examining import Solution
from snow.suites.checkers.reference import Reference, References, reference

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
        self._references = References()

    def examine(self, problem: Any, solution: Solution) -> tuple[str]:
        """Whether the solution returns what the canonical one does."""
        category, number = problem["category"], int(problem["task_id"].rpartition("/")[2])

        def known() -> Reference:
            inputs = [eval(f"[{given}]") for given in problem["inputs"]]  # source text, as the suite's authors give them
            return reference(f"{problem['prompt']}\n{problem['canonical_solution']}", problem["entry_point"], inputs)

        told = self._references.of(problem["task_id"], "base", known)
        return (told.status(solution, lambda given, wanted, got: _right(category, number, given, wanted, got)),)


def _right(category: str, number: int, given: Any, wanted: Any, got: Any) -> bool:
    """Whether an output is right. An oracle raises for a wrong one."""
    import evoeval.eval_test as rules

    own = functools.partial(copy.deepcopy, given)  # an oracle may change what it gets; other samples need it as it is
    match category, number:
        case "difficult", 10:
            rules._check_insensitive_palindrome(got, *own(), wanted)
        case "difficult", 32:
            rules._check_difficult_poly(*own(), got, wanted)
        case "creative", 26:
            rules._check_maze(*own(), got, wanted)
        case "creative", 30:
            rules._check_path(*own(), got, wanted)
        case "creative", 69:
            rules._check_product(*own(), got, wanted)
        case "subtle", 32:
            rules._check_poly(*own(), got)
        case _:
            return rules.is_equal(wanted, got)[0]
    return True

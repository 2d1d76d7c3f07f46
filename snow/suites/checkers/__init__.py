"""The suites' checkers, one module each, loaded by name inside the examiner's sandbox.

A checker module has

- `PARTS`: what is judged separately, for example `("base", "plus")`; a sample passes when all of them are `pass`.
- `sanitize(solution, entry_point)`: the solution as judged; may parse it, never executes it.

and where a solution is called from outside

- `problems(name, suite)`: the suite's tasks by id, as `Examiner.examine` takes them.
- `Examiner(name, seconds)` with `examine(problem, solution)`: a status per part (`pass`, `fail`, `timeout` or `error`) from what the
  solution's calls return; `seconds` is `evaluation.judging.timeout_seconds`.

or where the suite's tests need the solution in their own interpreter

- `programs(suite)`: by task id what runs before the solution, and the tests (`snow.evaluate.beside`).
- `LIBRARIES`: modules that are imported once for all samples. `SECONDS` and `LIMITS` (of `snow.evaluate.sandbox.Limits`) of a sample.
- `NOT_JUDGED`: by task id why the suite's own solution does not pass in the checker's environment, so that no other is judged by it.

All of it runs in sandboxes, a suite's tests and packages in one that no solution of the first sort runs in. A new suite is one more
module and one more line here.
"""

from __future__ import annotations

from types import ModuleType
from typing import NamedTuple

from snow.errors import SnowError
from snow.suites.checkers import bigcodebench, evalplus, evoeval, human_eval


class Checker(NamedTuple):
    """The kind of suite (snow.suites.tasks.Task) that a module judges, and the environment it needs where that is not the stage's."""

    kind: str
    module: ModuleType
    env: str | None = None


# By name in params.
CHECKERS = {
    "human-eval": Checker("humaneval", human_eval),
    "evalplus-humaneval": Checker("humaneval+", evalplus),
    "evalplus-mbpp": Checker("mbpp+", evalplus),
    "evoeval": Checker("evoeval", evoeval),
    "bigcodebench": Checker("bigcodebench", bigcodebench, "bigcodebench"),
}


def module_of(name: str, kind: str, where: str) -> ModuleType:
    """The module of a checker. SnowError, which names the suite as `where`, when it does not judge tasks of that kind."""
    checker = CHECKERS[name]
    if kind != checker.kind:
        raise SnowError(
            f"{where} holds {kind} tasks, which the checker {name} does not judge; name the one that does: "
            f"{', '.join(other for other, checker in CHECKERS.items() if checker.kind == kind)}"
        )
    return checker.module


def beside(checker: ModuleType) -> bool:
    """Whether the suite's tests need the solution in their own interpreter."""
    return hasattr(checker, "programs")


def checker_of(kind: str, where: str) -> str:
    """The name of the checker that judges tasks of a kind. SnowError, which names the suite as `where`, when there is none."""
    for name, checker in CHECKERS.items():
        if checker.kind == kind:
            return name
    raise SnowError(f"{where} holds {kind} tasks, which no checker of this snow judges")

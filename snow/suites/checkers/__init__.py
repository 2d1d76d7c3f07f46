"""The suites' checkers, one module each, loaded by name inside the examiner's sandbox.

A checker module has

- `PARTS`: what is judged separately, for example `("base", "plus")`; a sample passes when all of them are `pass`.
- `problems(name, suite)`: the suite's tasks by id, as `Examiner.examine` takes them.
- `sanitize(solution, entry_point)`: the solution as judged; may parse it, never executes it.
- `Examiner(name, seconds)` with `examine(problem, solution)`: a status per part (`pass`, `fail`, `timeout` or `error`) from what the
  solution's calls return; `seconds` is `evaluation.judging.timeout_seconds`.

All of it runs in a sandbox that no solution runs in, and imports the suite's package there. A new suite is one more module and one
more line here.
"""

from __future__ import annotations

from types import ModuleType

from snow.errors import SnowError
from snow.suites.checkers import evalplus, evoeval, human_eval

# Checker by its name in params: the kind of suite (snow.suites.tasks.Task) it judges, and its module.
CHECKERS: dict[str, tuple[str, ModuleType]] = {
    "human-eval": ("humaneval", human_eval),
    "evalplus-humaneval": ("humaneval+", evalplus),
    "evalplus-mbpp": ("mbpp+", evalplus),
    "evoeval": ("evoeval", evoeval),
}


def module_of(name: str, kind: str, where: str) -> ModuleType:
    """The module of a checker. SnowError, which names the suite as `where`, when it does not judge tasks of that kind."""
    judged, module = CHECKERS[name]
    if kind != judged:
        raise SnowError(
            f"{where} holds {kind} tasks, which the checker {name} does not judge; name the one that does: "
            f"{', '.join(other for other, (judged, _) in CHECKERS.items() if judged == kind)}"
        )
    return module


def checker_of(kind: str, where: str) -> str:
    """The name of the checker that judges tasks of a kind. SnowError, which names the suite as `where`, when there is none."""
    for name, (judged, _) in CHECKERS.items():
        if judged == kind:
            return name
    raise SnowError(f"{where} holds {kind} tasks, which no checker of this snow judges")

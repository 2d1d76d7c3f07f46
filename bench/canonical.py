"""All of BigCodeBench's own solutions, judged as samples are: which of its tasks can be judged in the environment bigcodebench.

    .envs/bigcodebench/bin/python bench/canonical.py BigCodeBench.jsonl verdicts.jsonl

Every task is judged, those in `snow.suites.bigcodebench.NOT_JUDGED` too; the exit status is 1 when another does not pass. A verdict is a
line of the second file; what is there is not judged again.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from snow.evaluate.judge import open_judge
from snow.evaluate.standalone import USUAL
from snow.suites.bigcodebench import NOT_JUDGED
from snow.suites.checkers import CHECKERS
from snow.suites.tasks import read_suite

NAME, WORKERS, CHUNK = "bigcodebench", 2, 40


def main(suite: Path, verdicts: Path) -> int:
    """Judge what `verdicts` lacks and say what does not pass."""
    tasks, checker = read_suite(suite), ModuleType(NAME)
    vars(checker).update(vars(CHECKERS[NAME].module) | {"NOT_JUDGED": {}})
    told = [json.loads(line) for line in verdicts.read_text().splitlines()] if verdicts.exists() else []
    left = [task for task in tasks if task.task_id not in {row["task_id"] for row in told}]
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as work:
        judge = replace(open_judge(NAME, suite, tasks, USUAL, Path(work)), checker=checker)
        for start in range(0, len(left), CHUNK):
            rows = judge.verdicts([(task.task_id, task.program) for task in left[start : start + CHUNK]], WORKERS)
            with verdicts.open("a") as file:
                file.writelines(json.dumps(row) + "\n" for row in rows)
            told += rows
    failed = [row for row in told if row["status"] != "pass"]
    for row in failed:
        print(NOT_JUDGED.get(row["task_id"], "NOT EXPECTED"), json.dumps(row), sep=": ")
    print(f"{len(told) - len(failed)} of {len(told)} pass; {len(left)} judged now by {WORKERS} workers in {time.monotonic() - begun:.0f} s")
    return int(any(row["task_id"] not in NOT_JUDGED for row in failed))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))

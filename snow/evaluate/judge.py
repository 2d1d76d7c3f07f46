"""Stage `judge`: verdicts on a model's completions by the suite's own rules, one sandbox per sample.

The sample's process gets arguments and sends back plain data; the tests, the expected results and the comparison are in another
sandbox, the examiner's, that no sample enters.
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
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from tqdm import tqdm

from snow.errors import SnowError
from snow.evaluate import scores
from snow.evaluate.sandbox import Limits, Outcome, Sandbox, ending, open_sandbox
from snow.evaluate.session import STARTUP_SECONDS, Calls, Clock, Ended, Session, talk
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
EXAMINER_SECONDS = 300.0  # for a suite's own solution of one task on all inputs; the slowest (Mbpp/599) takes about 10
REMEDY = "give it more time or memory under evaluation.judging, or reinstall the environment with `make envs`"
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

    def verdicts(self, samples: Sequence[Sample], threads: int, label: str = "") -> list[dict[str, Any]]:
        """One row per sample, in order: task_id, status, parses, and a status per part; `reason` when the sample was not heard.

        A status is `pass`, `fail` or `timeout`, or `error` when the sample ended, or had to be ended, without an answer. What timed
        out is judged once more with nothing beside it, because the others may have taken its time; such a row says `judged` 2.
        Where tests run beside the solution a row has the outcome of each of the `tests`, and two more statuses: `flagged` for what could
        forge its outcome (`reason` says what it does), and `not judged` for tasks whose own solution does not pass here.
        """
        prepared = self._prepare(samples, threads)
        with contextlib.ExitStack() as stack:
            examiners: SimpleQueue[Examiner | Server] = SimpleQueue()
            for _ in range(min(threads, len(samples))):
                examiners.put(stack.enter_context(Server(self) if beside(self.checker) else Examiner(self)))

            def check(place: int) -> dict[str, Any]:
                examiner = examiners.get()
                try:
                    return self._check(examiner, samples[place][0], prepared[place])
                finally:
                    examiners.put(examiner)

            pool = stack.enter_context(ThreadPoolExecutor(threads))
            checked = pool.map(check, range(len(samples)))
            rows = list(tqdm(checked, total=len(samples), desc=label, mininterval=5, disable=not label, file=sys.stderr))
            late = [place for place, row in enumerate(rows) if "timeout" in row.values()]
            for place in tqdm(late, desc="once more, alone", mininterval=5, disable=not (label and late), file=sys.stderr):
                rows[place] = check(place) | {"judged": 2}
        return rows

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

    def _check(self, examiner: Examiner | Server, task_id: str, prepared: Prepared) -> dict[str, Any]:
        told = self._told(examiner, task_id, prepared)
        status = next((status for status in told["statuses"] if status != "pass"), "pass")
        row = {"task_id": task_id, "status": status, **dict(zip(self.checker.PARTS, told["statuses"], strict=True))}
        row["parses"] = prepared is not None and prepared["parses"]
        if status in EXPLAINED:
            row["reason"] = told["reason"]
        return row | ({"tests": told["tests"]} if told.get("tests") else {})

    def _told(self, examiner: Examiner | Server, task_id: str, prepared: Prepared) -> dict[str, Any]:
        if reason := self.not_judged.get(task_id):
            status = scores.NOT_JUDGED
        elif prepared is None:
            status, reason = "error", "the checker cannot read it"
        elif reason := prepared.get("flagged"):
            status = "flagged"
        else:
            return examiner.examine(task_id, prepared["solution"])
        return {"statuses": [status] * len(self.checker.PARTS), "reason": reason}


class Examiner(contextlib.AbstractContextManager["Examiner"]):
    """The suite's side of the bench, in a process that lasts for many samples and meets none of them."""

    def __init__(self, judge: Judge) -> None:
        self._judge, self._stack = judge, contextlib.ExitStack()
        self._session: Session | None = None

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def examine(self, task_id: str, solution: str) -> dict[str, Any]:
        """`statuses`, one per part of the task's tests, and the `reason` why the solution did not answer, if so.

        SnowError when the examiner ends before it has heard of the solution: then the suite's own code does not run here.
        """
        request = {"solution": solution, "entry_point": self._judge.tasks[task_id].entry_point}
        with talk(self._judge.sandbox, "call", request, self._judge.limits, {}) as started:
            statuses, reason = self._examined(task_id, started)
        return {"statuses": statuses, "reason": reason}

    def _examined(self, task_id: str, solution: Session) -> tuple[list[str], str]:
        session, calls, reason, heard = self._started(), Calls(solution), "", False
        session.send(json.dumps({"task_id": task_id}).encode() + b"\n")
        while True:
            try:
                told = json.loads(session.answer(Clock(EXAMINER_SECONDS)))
            except Ended as ended:
                self._stack.close()
                self._session = None
                if heard:
                    return ["error"] * len(self._judge.checker.PARTS), "what it returned cannot be compared"
                raise SnowError(f"{self._judge.name} ended at {task_id} ({ended}), by no doing of the sample; {REMEDY}") from None
            if "statuses" in told:
                return told["statuses"], reason
            heard = True
            events, status, reason = calls.answered(told["calls"], told["limits"], told["total"])
            session.send(json.dumps({"events": events, "ended": status}).encode() + b"\n")

    def _started(self) -> Session:
        if self._session is None:
            request = {"checker": self._judge.name, "seconds": self._judge.seconds}
            talking = talk(self._judge.sandbox, "examine", request, self._judge.limits, {"suite": self._judge.suite})
            self._session = self._stack.enter_context(talking)
        return self._session


class Server(contextlib.AbstractContextManager["Server"]):
    """A sandbox that runs samples with their tests, one after another (`snow.evaluate.forking`); another takes the place of one that a
    sample broke."""

    def __init__(self, judge: Judge) -> None:
        self._judge, self._stack = judge, contextlib.ExitStack()
        self._session: Session | None = None
        self._programs = judge.checker.programs(judge.suite)

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def examine(self, task_id: str, solution: str) -> dict[str, Any]:
        """`statuses` of the one part, the outcome of each of the `tests` and a `reason`, where they are known."""
        session = self._started()
        before, tests = self._programs[task_id]
        session.send(json.dumps({"solution": before + solution, "tests": tests}).encode() + b"\n")
        try:
            told = json.loads(session.answer(Clock(self._judge.checker.SECONDS)))
        except Ended as ended:
            told = {"status": ended.why, "reason": str(ended), "last": True}
        if told["last"]:
            self._stack.close()
            self._session = None
        return told | {"statuses": [told["status"]]}

    def _started(self) -> Session:
        if self._session is None:
            limits = replace(self._judge.limits, **self._judge.checker.LIMITS)
            talking = talk(self._judge.sandbox, "fork", {"modules": self._judge.checker.LIBRARIES}, limits, {})
            self._session = self._stack.enter_context(talking)
            try:
                self._session.answer(Clock(STARTUP_SECONDS))
            except Ended as ended:
                raise SnowError(f"{self._judge.name} does not start in the sandbox ({ended}); {REMEDY}") from None
        return self._session


class Params(Protocol):
    judging: Judging
    checker: str
    limit: int | None  # evaluation.completion.limit: how many of the suite's tasks, from its first, were to be completed


def run(job: Job[Params]) -> dict[str, Any]:
    """Judge `completions` (rows with task_id and solution) on `suite`; writes `verdicts`, a row per completion in the same order."""
    tasks = read_suite(job.input("suite"))
    samples = read_samples(job.input("completions"), tasks)
    check_complete(job.input("completions"), samples, tasks[: job.params.limit])
    settings = job.params.judging
    name = job.params.checker
    checker = module_of(name, tasks[0].kind, str(job.input("suite")))
    limits = Limits(
        seconds=None,
        memory=settings.memory_mb << 20,
        processes=settings.processes,
        file=settings.file_mb << 20,
    )
    sandbox, by_id = open_sandbox(settings.allow_unsandboxed), {task.task_id: task for task in tasks}
    judge = Judge(name, checker, sandbox, job.input("suite"), by_id, settings.timeout_seconds, limits, job.work)
    harness = check_harness(judge, tasks, job.threads)
    rows = judge.verdicts(samples, job.threads, f"judging {job.instance}")
    with job.output("verdicts").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    categories = {task.task_id: task.category for task in tasks if task.category}
    if categories:
        rates = scores.by_category(rows, categories)
    else:
        rates = scores.of_judged(rows) if judge.not_judged else scores.rates(rows, checker.PARTS)
    return summary(rows, rates) | {
        "checker": name,
        "tasks": len(tasks),
        "canonical": harness,
        "sandboxed": sandbox.bwrap is not None,
    }


def read_samples(path: Path, tasks: Sequence[Task]) -> list[Sample]:
    """(task_id, solution) of every completion, in file order. SnowError for a row without them or of another suite."""
    known, samples = {task.task_id for task in tasks}, []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            samples.append((row["task_id"], row["solution"]))
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise SnowError(f"{path}, row {number}: expected JSON with task_id and solution ({error!r})") from error
        if row["task_id"] not in known:
            raise SnowError(f"{path}, row {number}: the suite has no task {row['task_id']!r}; these are completions of another suite")
    if not samples:
        raise SnowError(f"{path} holds no completion; write some with `snow complete`")
    return samples


def check_complete(path: Path, samples: Sequence[Sample], tasks: Sequence[Task]) -> None:
    """SnowError when a task has no sample: a rate over the others would be taken for the suite's."""
    answered = {task_id for task_id, _ in samples}
    if missing := [task.task_id for task in tasks if task.task_id not in answered]:
        few = ", ".join(missing[:NAMED]) + (f" and {len(missing) - NAMED} more" if len(missing) > NAMED else "")
        raise SnowError(
            f"{path} has no sample for {len(missing)} of {len(tasks)} tasks ({few}); complete them, or set "
            "evaluation.completion.limit to judge the suite's first tasks alone"
        )


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


def summary(rows: Sequence[dict[str, Any]], rates: Mapping[str, Any]) -> dict[str, Any]:
    """The receipt's facts: counts by status, pass@1, and how many timeouts were judged again and what came of it."""
    again = [row for row in rows if row.get("judged") == 2]
    return {
        "samples": len(rows),
        "parsed": sum(row["parses"] for row in rows),
        "statuses": dict(sorted(Counter(row["status"] for row in rows).items())),
        "judged_again": {"samples": len(again), "timeout": sum(row["status"] == "timeout" for row in again)},
        "pass@1": rates,
    }


def _ending(outcome: Outcome) -> str:
    return f"killed for its {outcome.killed}" if outcome.killed else ending(outcome.status)

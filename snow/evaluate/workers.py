"""What judges one sample after another for a thread of `snow.evaluate.judge`, in sandboxes that last as long as they can."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from snow.errors import SnowError
from snow.evaluate.session import STARTUP_SECONDS, Calls, Clock, Ended, Session, talk

if TYPE_CHECKING:
    from snow.evaluate.judge import Judge

EXAMINER_SECONDS = 300.0  # for a suite's own solution of one task on all inputs; the slowest (Mbpp/599) takes about 10
REMEDY = "give it more time or memory under evaluation.judging, or reinstall the environment with `make envs`"


class Worker(contextlib.AbstractContextManager["Worker"]):
    """A session in a sandbox that lasts for many samples; another takes the place of one that broke."""

    def __init__(self, judge: Judge) -> None:
        self._judge, self._stack = judge, contextlib.ExitStack()
        self._running: Session | None = None

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def examine(self, task_id: str, solution: str) -> dict[str, Any]:
        """`statuses`, one per part of the task's tests, a `reason` where the solution did not answer, and where tests run beside it
        the outcome of each of the `tests`."""
        raise NotImplementedError

    def _talk(self) -> contextlib.AbstractContextManager[Session]:
        raise NotImplementedError

    def _session(self) -> Session:
        if self._running is None:
            self._running = self._stack.enter_context(self._talk())
        return self._running

    def _drop(self) -> None:
        self._stack.close()
        self._running = None


class Examiner(Worker):
    """The suite's side of the bench, which meets no sample."""

    def examine(self, task_id: str, solution: str) -> dict[str, Any]:
        """See Worker. SnowError when the examiner ends before it has heard of the solution: then the suite's own code does not run here."""
        request = {"solution": solution, "entry_point": self._judge.tasks[task_id].entry_point}
        with talk(self._judge.sandbox, "call", request, self._judge.limits, {}) as started:
            statuses, reason = self._examined(task_id, started)
        return {"statuses": statuses, "reason": reason}

    def _examined(self, task_id: str, solution: Session) -> tuple[list[str], str]:
        session, calls, reason, heard = self._session(), Calls(solution), "", False
        session.send(json.dumps({"task_id": task_id}).encode() + b"\n")
        while True:
            try:
                told = json.loads(session.answer(Clock(EXAMINER_SECONDS)))
            except Ended as ended:
                self._drop()
                if heard:
                    return ["error"] * len(self._judge.checker.PARTS), "what it returned cannot be compared"
                raise SnowError(f"{self._judge.name} ended at {task_id} ({ended}), by no doing of the sample; {REMEDY}") from None
            if "statuses" in told:
                return told["statuses"], reason
            heard = True
            events, status, reason = calls.answered(told["calls"], told["limits"], told["total"])
            session.send(json.dumps({"events": events, "ended": status}).encode() + b"\n")

    def _talk(self) -> contextlib.AbstractContextManager[Session]:
        request = {"checker": self._judge.name, "seconds": self._judge.seconds}
        return talk(self._judge.sandbox, "examine", request, self._judge.limits, {"suite": self._judge.suite})


class Server(Worker):
    """What runs samples with their tests, one after another (`snow.evaluate.forking`)."""

    def __init__(self, judge: Judge) -> None:
        super().__init__(judge)
        self._programs = judge.checker.programs(judge.suite)

    def examine(self, task_id: str, solution: str) -> dict[str, Any]:
        """See Worker."""
        session = self._session()
        before, tests = self._programs[task_id]
        session.send(json.dumps({"solution": before + solution, "tests": tests}).encode() + b"\n")
        try:
            told = json.loads(session.answer(Clock(self._judge.checker.SECONDS)))
            session.check_memory()
        except Ended as ended:
            told = {"status": ended.why, "reason": str(ended), "last": True}
        if told["last"]:
            self._drop()
        return told | {"statuses": [told["status"]]}

    @contextlib.contextmanager
    def _talk(self) -> Iterator[Session]:
        limits = replace(self._judge.limits, **self._judge.checker.LIMITS)
        with talk(self._judge.sandbox, "fork", {"modules": self._judge.checker.LIBRARIES}, limits, {}) as session:
            try:
                session.answer(Clock(STARTUP_SECONDS))
            except Ended as ended:
                raise SnowError(f"{self._judge.name} does not start in the sandbox ({ended}); {REMEDY}") from None
            yield session

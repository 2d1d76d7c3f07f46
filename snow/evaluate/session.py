"""A process in a sandbox that is spoken to in lines, held to processor time.

A limit counts what the code used of a processor, so that a verdict is the code's and not the machine's: where the wall clock passes
it, code that waited for a processor gets the rest of its time, up to PATIENCE times as long, and code that slept does not.
The wall clock is looked at every POLL_SECONDS.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from snow.evaluate import calling
from snow.evaluate.cgroup import Group
from snow.evaluate.sandbox import Limits, Sandbox
from snow.evaluate.watching import POLL_SECONDS, ended_file, ending, family, resident, status_of

PATIENCE = 10.0  # times its limit that code which never got a processor may take
TICK = os.sysconf("SC_CLK_TCK")
LINE = 64 << 20  # bytes of one answer
STARTUP_SECONDS = 60.0  # for Python to start on a busy machine
KILLED = "killed for its memory"


class Ended(Exception):
    """The process can say no more: `why` is "timeout" or "error", the words say of what."""

    def __init__(self, why: str, words: str) -> None:
        super().__init__(words)
        self.why = why


class Session:
    """Lines to and from a running process. Not for several threads at once."""

    def __init__(self, process: subprocess.Popen[bytes], group: Group | None, limits: Limits, ended: int, asked: int, answers: int) -> None:
        self._process, self._group, self._limits = process, group, limits
        self._asked, self._answers = asked, answers
        self._poll = select.poll()
        self._poll.register(ended, select.POLLIN)
        self._poll.register(answers, select.POLLIN)
        self._unsent, self._unread = memoryview(b""), bytearray()
        self._seen = 0  # bytes of `_unread` known to hold no end of a line

    def send(self, line: bytes) -> None:
        """Have a line written, its end included, while the next answers are waited for."""
        self._unsent = memoryview(bytes(self._unsent) + line)
        self._poll.register(self._asked, select.POLLOUT)

    def answer(self, *clocks: Clock) -> bytes:
        """The next line. Ended when the process has ended, a clock has run out, or it holds or says too much."""
        while True:
            end = self._unread.find(b"\n", self._seen)
            if end >= 0:
                line = bytes(self._unread[:end])
                del self._unread[: end + 1]
                self._seen = 0
                return line
            self._seen = len(self._unread)
            if self._seen > LINE:
                raise Ended("error", "it answers without end")
            self._wait(clocks)

    def check_memory(self) -> None:
        """Ended where its processes hold too much, or the kernel has killed one of them for that, whatever the others answered: which of
        the two sees it first depends on how busy the machine is."""
        if self._killed() or resident(self._process.pid) > self._limits.memory:
            raise Ended("error", KILLED)

    def _killed(self) -> bool:
        return self._group is not None and self._group.exceeded()

    def _wait(self, clocks: Sequence[Clock]) -> None:
        events = dict(self._poll.poll(1000 * POLL_SECONDS))
        if self._asked in events and self._unsent:
            try:
                self._unsent = self._unsent[os.write(self._asked, self._unsent) :]
            except BlockingIOError:
                pass
            except BrokenPipeError:
                self._unsent = memoryview(b"")
            if not self._unsent:
                self._poll.unregister(self._asked)
        if self._answers in events and (content := self._read()):
            self._unread += content
        elif self._answers in events or any(handle not in (self._asked, self._answers) for handle in events):
            raise Ended("error", self._ending())
        elif not events:
            if any(clock.is_up(self._process.pid) for clock in clocks):
                raise Ended("timeout", "its time is up")
            self.check_memory()

    def _read(self) -> bytes:
        with contextlib.suppress(BlockingIOError):
            return os.read(self._answers, 1 << 20)
        return b""

    def _ending(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=1)
            return KILLED if self._killed() else ending(status_of(self._process))
        return "it closed its answers"


class Clock:
    """Seconds of processor time that a process may use from now on, or sleep. Cheap where nothing takes long."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._begun, self._before = seconds, time.monotonic(), 0.0
        self._looked = False

    def is_up(self, pid: int) -> bool:
        """Whether the limit is passed: by the wall clock, and by what the process used of a processor unless it only slept."""
        wall = time.monotonic() - self._begun
        if not self._looked:  # what it used until this first look is taken for the time that passed
            self._looked, self._before = True, used(pid) - wall
        if wall < self._seconds:
            return False
        return wall > PATIENCE * self._seconds or used(pid) - self._before >= self._seconds or not runs(pid)


def used(pid: int) -> float:
    """Seconds of processor time of a process, its living descendants and those they waited for."""
    return sum(sum(map(int, fields[11:15])) for fields in _statistics(pid)) / TICK


def runs(pid: int) -> bool:
    """Whether a process or a descendant runs or waits for a processor (or a disk)."""
    return any(fields[0] in "RD" for fields in _statistics(pid))


def _statistics(pid: int) -> Iterator[list[str]]:
    """What /proc/PID/stat says of each, from the state on; proc(5)."""
    for member in family(pid):
        with contextlib.suppress(OSError):
            yield Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()


@contextlib.contextmanager
def talk(sandbox: Sandbox, action: str, request: Mapping[str, Any], limits: Limits, files: Mapping[str, Path]) -> Iterator[Session]:
    """A session with an action of `inside` that takes lines. What it started is gone when the context is left."""
    with contextlib.ExitStack() as stack:
        asked, answers = os.pipe(), os.pipe()
        for ours in (asked[1], answers[0]):
            stack.callback(os.close, ours)
            os.set_blocking(ours, False)
        try:
            pipes = {"asked": asked[0], "answers": answers[1]}
            process, group = stack.enter_context(sandbox.start(action, request, limits, files, pipes))
        finally:
            os.close(asked[0])
            os.close(answers[1])
        yield Session(process, group, limits, stack.enter_context(ended_file(process)), asked[1], answers[0])


class Calls:
    """Calls of a solution in a session with `snow.evaluate.calling`, each within its limit and all within theirs."""

    def __init__(self, session: Session) -> None:
        self._session, self._stands = session, False
        self._total = Clock(STARTUP_SECONDS)

    def answered(self, arguments: str, limits: Sequence[float], total: float | None) -> tuple[list[str], str, str]:
        """(what each call came to, as the solution's side says it; a status if the calls ended early, else ""; and why)."""
        events: list[str] = []
        try:
            if not self._stands:
                self._session.answer(Clock(STARTUP_SECONDS))
            if total is not None:
                self._total = Clock(total)
            if not self._stands:
                if self._session.answer(self._total) != calling.STANDS:
                    return [], "fail", ""
                self._stands = True
            self._session.send(arguments.encode() + b"\n")
            for limit in limits:
                events.append(self._session.answer(Clock(limit), self._total).decode(errors="replace"))
            self._session.check_memory()
        except Ended as ended:
            return events, ended.why, str(ended)
        return events, "", ""

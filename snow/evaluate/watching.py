"""A process in a sandbox as it looks from outside: whether it has ended and how, its descendants, and what they hold."""

from __future__ import annotations

import contextlib
import math
import os
import select
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snow.evaluate.sandbox import Limits

POLL_SECONDS = 0.1


def watch(process: subprocess.Popen[bytes], limits: Limits) -> str:
    """Wait for the end, or until the time is up or the memory of all processes exceeds the limit; which of them, or nothing."""
    end = time.monotonic() + (limits.seconds or math.inf)
    with ended_file(process) as handle:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        while not poll.poll(POLL_SECONDS * 1000):
            if time.monotonic() > end:
                return "time"
            if resident(process.pid) > limits.memory:
                return "memory"
    process.wait()
    return ""


@contextlib.contextmanager
def ended_file(process: subprocess.Popen[bytes]) -> Iterator[int]:
    """A descriptor that becomes readable when the process ends."""
    handle = os.pidfd_open(process.pid)
    try:
        yield handle
    finally:
        os.close(handle)


def status_of(process: subprocess.Popen[bytes]) -> int:
    """The exit status of an ended process, 128 + n for a signal n, whether bubblewrap tells of it or was killed itself."""
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def ending(status: int | None) -> str:
    """An exit status in words."""
    return f"killed by signal {status - 128}" if status is not None and status > 128 else f"exit status {status}"


def resident(pid: int) -> int:
    """Bytes of memory without a file behind it that a process and its descendants hold; pages two of them share count twice."""
    total = 0
    for member in family(pid):
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{member}/status").read_text().splitlines()
            total += sum(int(line.split()[1]) << 10 for line in lines if line.startswith(("RssAnon:", "RssShmem:")))
    return total


def family(pid: int) -> Iterator[int]:
    """A process and its living descendants."""
    yield pid
    try:
        children = [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]
    except OSError:  # it ended meanwhile
        return
    for child in children:
        yield from family(child)

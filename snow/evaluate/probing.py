"""What a new sandbox has to withstand before anything runs in it: run inside by `snow.evaluate.inside`, as its samples will be."""

from __future__ import annotations

import contextlib
import mmap
import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PASSED = 63  # the exit status


def probe(request: Mapping[str, Any]) -> int:
    """Try what the sandbox must prevent; the first thing that works is said on stderr. `outside`, `pid` and `memory` are the request's."""
    problem = next(escapes(request), None)
    if problem is None:
        return PASSED
    print(problem, file=sys.stderr)
    return 1


def escapes(request: Mapping[str, Any]) -> Iterator[str]:
    """What could be done that must not be; an OSError for what cannot be done that must be."""
    if os.getuid() == 0 or os.geteuid() == 0:
        yield "the user inside is root"
    if os.getppid() > 1 or os.getpid() == request["pid"]:
        yield "processes outside are visible"
    for path in request["outside"]:
        with contextlib.suppress(OSError):
            Path(path).write_text("x")
            yield f"{path} is writable"
    if {name for _, name in socket.if_nameindex()} - {"lo"}:
        yield "the network is reachable"
    with contextlib.suppress(PermissionError):
        os.close(os.memfd_create("probe"))
        yield "the system-call filter does not hold"
    with contextlib.suppress(OSError, MemoryError):
        mmap.mmap(-1, request["memory"])
        yield "the memory limit does not hold"
    with contextlib.suppress(BlockingIOError):
        for _ in range(64):
            if os.fork() == 0:
                time.sleep(5)  # until the sandbox is taken down
                os._exit(0)
        yield "the process limit does not hold"
    for folder in sys.path:
        if Path(folder).is_dir():
            os.listdir(folder)
    Path("scratch").write_text("x")

"""What runs inside the sandbox: `python -m snow.evaluate.inside ACTION`, its settings and request as JSON on stdin.

`call` runs one sample and answers calls of it (snow.evaluate.calling): it knows no test and no expected result. `examine` runs a
suite's tests and canonical solutions and no sample (snow.evaluate.examining). `fork` runs samples with the tests that need them in one
interpreter (snow.evaluate.forking). `prepare` parses, but does not execute, samples.
`probe` (snow.evaluate.probing) tries to break out. Processes are made undumpable, so that no other can trace them or write to their
memory (the system-call filter denies that too). Python and this module start once per sample, so imports are few.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

PR_SET_DUMPABLE = 4  # linux/prctl.h


def confine(limits: Mapping[str, Any], user: int | None) -> None:
    """Give up what this process may do, for itself and all it starts: its user, then resources, none of which can be regained."""
    if user is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    hard = {
        resource.RLIMIT_AS: limits["address_space"] or limits["memory"],
        resource.RLIMIT_NPROC: limits["processes"],
        resource.RLIMIT_FSIZE: limits["file"],
        resource.RLIMIT_NOFILE: 256,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_CORE: 0,
    }
    if limits["seconds"] is not None:
        hard[resource.RLIMIT_CPU] = int(limits["seconds"]) + 1
    for kind, value in hard.items():
        _, ceiling = resource.getrlimit(kind)
        if ceiling != resource.RLIM_INFINITY:
            value = min(value, ceiling)
        resource.setrlimit(kind, (value, value))
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def prepare(request: Mapping[str, Any], answer: int) -> int:
    """Write a JSON line per sample of the request, (solution, entry point), to `answer`: `solution` as it will be judged, whether
    the sample, as it came, `parses`, and for a checker whose tests run beside it the reason that it is `flagged` for, if any."""
    from snow.evaluate import flags
    from snow.suites import checkers

    checker = checkers.CHECKERS[request["checker"]].module
    with os.fdopen(answer, "w") as stream:
        for solution, entry_point in request["samples"]:
            told = {"solution": checker.sanitize(solution, entry_point), "parses": parses(solution)}
            if checkers.beside(checker):
                told["flagged"] = flags.reason(told["solution"])
            stream.write(json.dumps(told) + "\n")
    return 0


def parses(code: str) -> bool:
    """Whether Python can compile a text."""
    try:
        compile(code, "sample", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return False
    return True


def _channels(pipes: Mapping[str, int]) -> tuple[BinaryIO, BinaryIO]:
    return os.fdopen(pipes["asked"], "rb"), os.fdopen(pipes["answers"], "wb")


def main() -> None:
    """Confine this process, run the action named on the command line and exit with what it returns, without cleaning up."""
    settings = json.load(sys.stdin.buffer)
    forks = sys.argv[1] == "fork"  # its server gives up the right to change user in what it forks
    confine(settings["limits"], None if forks else settings["user"])
    request, files, pipes = settings["request"], settings["files"], settings["pipes"]
    match sys.argv[1]:
        case "call":
            from snow.evaluate import calling

            status = calling.serve(request["solution"], request["entry_point"], *_channels(pipes))
        case "examine":
            from snow.evaluate import examining
            from snow.suites import checkers

            checker = checkers.CHECKERS[request["checker"]].module
            status = examining.serve(checker, request["checker"], Path(files["suite"]), request["seconds"], *_channels(pipes))
        case "fork":
            from snow.evaluate import forking

            status = forking.serve(request["modules"], settings["user"], *_channels(pipes))
        case "prepare":
            status = prepare(request, pipes["answer"])
        case _:
            from snow.evaluate import probing

            status = probing.probe(request)
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main()

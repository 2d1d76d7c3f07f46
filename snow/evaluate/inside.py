"""What runs inside the sandbox: `python -m snow.evaluate.inside ACTION`, its settings and request as JSON on stdin.

`check` judges one sample. It is the parent of the process a suite's own checker starts for the sample, and tells its verdict by
its exit status alone: whatever the sample prints, writes, leaves running or kills, it cannot choose how its parent exits. The
parent is made undumpable, so the sample cannot trace it or write to its memory either (the system-call filter denies that too),
and a sample that kills it is found dead of a signal and fails alone. What remains: the checkers execute a sample in the process
that also compares its results, so a sample that searches the interpreter for the checker's objects can make its own check
succeed, as it can with `evaluate_functional_correctness` and `evalplus.evaluate`; it changes no other sample's verdict.

`prepare` reads a suite and parses, but does not execute, samples. `probe` (snow.evaluate.probing) tries to break out. Python and
this module start once per sample, so imports are few.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FIRST_VERDICT = 64  # exit status of the first of a checker's verdicts; below are Python's own, above 128 signals
PR_SET_DUMPABLE = 4  # linux/prctl.h


def confine(limits: Mapping[str, Any], user: int | None) -> None:
    """Give up what this process may do, for itself and all it starts: its user, then resources, none of which can be regained."""
    if user is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    hard = {
        resource.RLIMIT_AS: limits["memory"],
        resource.RLIMIT_NPROC: limits["processes"],
        resource.RLIMIT_FSIZE: limits["file"],
        resource.RLIMIT_CPU: int(limits["seconds"]) + 1,
        resource.RLIMIT_NOFILE: 256,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_CORE: 0,
    }
    for kind, value in hard.items():
        _, ceiling = resource.getrlimit(kind)
        if ceiling != resource.RLIM_INFINITY:
            value = min(value, ceiling)
        resource.setrlimit(kind, (value, value))
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def check(request: Mapping[str, Any], files: Mapping[str, str]) -> int:
    """Judge one sample: `checker`, `solution`, `seconds` of the request on the task in `files`; the exit status that says the verdict."""
    from snow.suites import checkers

    _, checker = checkers.CHECKERS[request["checker"]]
    verdict = checker.check(Path(files["task"]).read_bytes(), request["solution"], request["seconds"])
    return FIRST_VERDICT + checker.VERDICTS.index(verdict)


def prepare(request: Mapping[str, Any], files: Mapping[str, str], answer: int) -> int:
    """Write one frame per sample of the request to `answer`, in order: a JSON line, then the task as bytes of the number it says.

    The line also holds the solution as the checker will judge it and whether the sample, as it came, parses.
    """
    from snow.suites import checkers

    kind, checker = checkers.CHECKERS[request["checker"]]
    with os.fdopen(answer, "wb") as stream:
        for (_, sample), (task_id, solution, task) in zip(
            request["samples"], checker.prepare(kind, Path(files["suite"]), request["samples"]), strict=True
        ):
            header = {"task_id": task_id, "solution": solution, "parses": parses(sample), "bytes": len(task)}
            stream.write(json.dumps(header).encode() + b"\n" + task)
    return 0


def parses(code: str) -> bool:
    """Whether Python can compile a text."""
    try:
        compile(code, "sample", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return False
    return True


def main() -> None:
    """Confine this process, run the action named on the command line and exit with what it returns, without cleaning up."""
    settings = json.load(sys.stdin.buffer)
    confine(settings["limits"], settings["user"])
    request, files = settings["request"], settings["files"]
    action = sys.argv[1]
    if action == "check":
        status = check(request, files)
    elif action == "prepare":
        status = prepare(request, files, settings["answer"])
    else:
        from snow.evaluate import probing

        status = probing.probe(request)
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main()

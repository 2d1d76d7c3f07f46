"""Tests that need the solution in their own interpreter: a server in a sandbox forks a process for each sample, one at a time.

The server imports the libraries that tasks use, once, and runs neither samples nor tests itself. A sample's process
(`snow.evaluate.beside`) becomes another user where the server may make it one, and works in a folder of its own. When it has
ended, what it started is killed and what it wrote is removed; where that cannot be done the server says that it must not be used again.
"""

from __future__ import annotations

import ast
import contextlib
import ctypes
import importlib
import itertools
import json
import os
import secrets
import select
import shutil
import signal
import time
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO

from snow.evaluate import beside

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
DESCRIPTORS = 256  # RLIMIT_NOFILE, see snow.evaluate.inside
REPORT = 1 << 20  # bytes of a report at most
CLEAN_SECONDS = 1.0


def serve(modules: Iterable[str], user: int | None, asked: BinaryIO, answers: BinaryIO) -> int:
    """Run a sample per line of `asked`, {solution, tests}, and write a line for each: its `status`, the outcome of each of its
    `tests` by name, a `reason` where there are none, and whether it has to be the `last`. The first line says that the server stands.

    `user` is the first of the user ids that samples get, None where the server may not give them one.
    """
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for name in modules:
        with contextlib.suppress(ImportError):  # an environment without them runs the tasks that do not need them
            importlib.import_module(name)
    _remove()  # what the libraries put there
    answers.write(b"{}\n")
    answers.flush()
    for count, line in zip(itertools.count(), iter(asked.readline, b""), strict=False):
        own = None if user is None else user + count
        told = _judged(json.loads(line), own)
        answers.write(json.dumps(told | {"last": not _clean(own)}).encode() + b"\n")
        answers.flush()
    return 0


def _judged(sample: Mapping[str, str], user: int | None) -> dict[str, Any]:
    report, secret = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            _become(user)
            for number in {*range(3, DESCRIPTORS)} - {secret[0], report[1]}:
                with contextlib.suppress(OSError):
                    os.close(number)
            beside.run(sample["solution"], sample["tests"], secret[0], report[1])
        os._exit(1)
    os.close(report[1])
    os.close(secret[0])
    word = secrets.token_hex(16)
    try:
        said, status = _heard(child, report[0], secret[1], word)
    finally:
        os.close(report[0])
        os.close(secret[1])
    if user is None:
        with contextlib.suppress(OSError):
            os.killpg(child, signal.SIGKILL)
    return verdict(said, word, names(sample["tests"]), status)


def _become(user: int | None) -> None:
    """Be this user, in a session of its own, with no way back."""
    os.setsid()
    if user is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)


def _heard(child: int, report: int, secret: int, word: str) -> tuple[bytes, int | None]:
    """What a sample's process says until it ends, whoever else holds its pipes, and how it ended; None when it says too much.

    It gets the secret word for its first line.
    """
    said, given, handle = b"", False, os.pidfd_open(child)
    os.set_blocking(report, False)
    poll = select.poll()
    poll.register(report, select.POLLIN)
    poll.register(handle, select.POLLIN)
    try:
        while len(said) < REPORT:
            events = dict(poll.poll())
            ended = handle in events
            if report in events:
                content = os.read(report, REPORT)
                said += content
                if not content:
                    poll.unregister(report)
            if ended:
                return said, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            if b"\n" in said and not given:
                given = True
                with contextlib.suppress(OSError):
                    os.write(secret, word.encode() + b"\n")
    finally:
        os.close(handle)
    return said, None


def names(tests: str) -> set[str]:
    """The test methods that a task's `TestCases` defines."""
    classes = (node for node in ast.parse(tests).body if isinstance(node, ast.ClassDef) and node.name == "TestCases")
    return {node.name for one in classes for node in one.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test")}


def verdict(said: bytes, word: str, expected: set[str], status: int | None) -> dict[str, Any]:
    """What a report comes to. It passes when it holds the secret and says of each expected test, and of nothing else, that it passed;
    where nothing was tested nothing passes."""
    for line in said.decode(errors="replace").split("\n"):
        first, *rest = line.split("\t")
        if first == word:
            tests = dict.fromkeys(sorted(expected), "not run") | {
                name: outcome for name, _, outcome in (one.partition("=") for one in rest)
            }
            passed = bool(tests) and all(outcome == beside.PASSED for outcome in tests.values())
            return {"status": "pass" if passed else "fail", "tests": tests, "reason": ""}
        if first in ("flagged", "broken"):
            return {"status": "flagged" if first == "flagged" else "fail", "tests": {}, "reason": " ".join(rest)[:200]}
    ending = "it reports without end" if status is None else f"it ended before its tests had ({status})"
    return {"status": "error", "tests": {}, "reason": ending}


def _clean(user: int | None) -> bool:
    """Kill and remove what a sample left; whether nothing of it remains."""
    cleaner = os.fork()
    if cleaner == 0:
        with contextlib.suppress(BaseException):
            _become(user)
            if user is not None:
                os.kill(-1, signal.SIGKILL)  # all of that user but this process
        with contextlib.suppress(BaseException):
            _remove()
        os._exit(0)
    end = time.monotonic() + CLEAN_SECONDS
    while time.monotonic() < end:
        try:
            ended, _ = os.waitpid(-1, os.WNOHANG)  # orphans too are children of this subreaper
        except ChildProcessError:
            return not any(os.listdir(folder) for folder in _folders())
        if not ended:
            time.sleep(0.001)
    return False


def _folders() -> list[str]:
    """All that a sample can write to."""
    scratch = os.environ["TMPDIR"]
    return [scratch, "/dev/shm"] if scratch == "/scratch" else [scratch]


def _remove() -> None:
    for folder in _folders():
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                os.unlink(entry.path)

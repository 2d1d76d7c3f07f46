"""A sample and its tests in one interpreter, in a process of their own: what BigCodeBench's tests need.

They run as bigcodebench 0.2.5 has it (eval/__init__.py, `unsafe_execute`): the solution and then the tests are defined in one module,
and `TestCases` is run. A line goes out when they are defined; a secret comes in for it, and the line that says what came of
each test holds it. What could be used to forge that line ends the process at once: see `snow.evaluate.audit`.
"""

from __future__ import annotations

import builtins
import io
import os
import sys
import tempfile
import time
import types
import unittest
from typing import Any

from snow.evaluate import audit

PASSED = "pass"
MODULE = "__test__"  # bigcodebench's name for it, which pickles and patches may hold


class Outcomes(unittest.TestResult):
    """What came of each test, by the name of its method; what is no method, like setUpClass, only where it broke."""

    def __init__(self) -> None:
        super().__init__()
        self.tests: dict[str, str] = {}

    def addSuccess(self, test: unittest.TestCase) -> None:
        self.tests[_name(test)] = PASSED

    def addError(self, test: Any, err: Any) -> None:
        self.tests[_name(test)] = "error"

    def addFailure(self, test: Any, err: Any) -> None:
        self.tests[_name(test)] = "fail"

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        if err is not None:
            self.tests[_name(test)] = "fail" if issubclass(err[0], test.failureException) else "error"

    def addSkip(self, test: Any, reason: str) -> None:
        self.tests[_name(test)] = "skip"


def run(solution: str, tests: str, secret: int, report: int) -> None:
    """Run the tests and write what came of them to `report`, a line that begins with what `secret` gave; does not return.

    Before it goes an empty line, when all is defined; instead of it a line with `flagged` or `broken` and why.
    """
    write, leave, read, close, loader = os.write, os._exit, os.read, os.close, unittest.TestLoader()

    def say(*words: str) -> None:
        write(report, "\t".join(words).encode(errors="replace") + b"\n")  # what a sample could replace in json has no part in this

    def flag(reason: str) -> None:
        say("flagged", reason)
        leave(0)

    _settle()
    outcomes = Outcomes()
    library = audit.watched([*audit.library(), Outcomes])
    guarded = {secret, report}
    audit.begin(flag, guarded)
    for name in [name for name in sys.modules if name.partition(".")[0] == "snow"]:
        del sys.modules[name]
    module = types.ModuleType(MODULE)
    names = module.__dict__
    names |= {"__builtins__": builtins, "__file__": f"{MODULE}.py", "sys": sys, "os": os, "environ": os.environ}
    try:
        for code, name in ((solution, audit.SOLUTION), (tests, audit.TESTS)):
            exec(compile(code, name, "exec", dont_inherit=True), names)
        sys.modules[MODULE] = module
        suite = loader.loadTestsFromTestCase(names["TestCases"])
    except BaseException as error:
        say("broken", type(error).__name__)
        leave(0)
    own = audit.watched([names["TestCases"]])
    say()
    word = read(secret, 64).decode().strip()
    close(secret)
    guarded.discard(secret)
    try:
        suite.run(outcomes)
    except BaseException as error:
        outcomes.tests[type(error).__name__] = "error"
    if changed := library() or own():
        flag(f"replaces {changed}")
    say(word, *(f"{name}={outcome}" for name, outcome in outcomes.tests.items()))
    leave(0)


def _name(test: Any) -> str:
    return "".join(letter for letter in test.id().rpartition(".")[2] if letter.isprintable() and letter != "=")


def _settle() -> None:
    """What bigcodebench's `reliability_guard` and `swallow_io` set, as far as a verdict depends on it."""
    os.chdir(tempfile.mkdtemp())
    os.environ["TZ"] = "UTC"
    time.tzset()
    sys.stdin, sys.stdout, sys.stderr = _Unreadable(), io.StringIO(), io.StringIO()
    builtins.__dict__.update({"exit": None, "quit": None})
    unittest.case.__dict__["_ShouldStop"] = ()  # an exception of this class, from whoever, would end a test as if it had passed


class _Unreadable(io.StringIO):
    def read(self, *_: Any) -> str:
        raise OSError("nothing can be read here")

    readline = read

    def readable(self) -> bool:
        return False

"""A sample and its tests in one interpreter, in a process of their own: what BigCodeBench's tests need.

They run as bigcodebench 0.2.5 has it (eval/__init__.py, `unsafe_execute`): the solution and then the tests are defined in one module,
and `TestCases` is run. A line goes out when they are defined; a secret comes in for it, and the line that says what came of
each test holds it. What could be used to forge that line ends the process at once: see `snow.evaluate.audit`.
"""

from __future__ import annotations

import builtins
import io
import json
import os
import sys
import tempfile
import time
import types
import unittest
from typing import Any

from snow.evaluate import audit

PASSING = ("pass", "skip")
MODULE = "__test__"  # bigcodebench's name for it, which pickles and patches may hold


class Outcomes(unittest.TestResult):
    """What came of each test, by the name of its method; what is no method, like setUpClass, only where it broke."""

    def __init__(self) -> None:
        super().__init__()
        self.tests: dict[str, str] = {}

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self.tests[_name(test)] = "pass"

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
    """Run the tests and write what came of them to `report`; does not return."""
    write, leave, read, dumps = os.write, os._exit, os.read, json.dumps

    def say(told: dict[str, Any]) -> None:
        write(report, dumps(told).encode() + b"\n")

    def flag(reason: str) -> None:
        say({"flagged": reason})
        leave(0)

    _settle()
    library = audit.Watched()
    audit.begin(flag, {secret, report})
    module = types.ModuleType(MODULE)
    names = vars(module)
    names.update({"__builtins__": builtins, "__file__": f"{MODULE}.py", "sys": sys, "os": os, "environ": os.environ})
    try:
        for code, name in ((solution, audit.SOLUTION), (tests, audit.TESTS)):
            exec(compile(code, name, "exec", dont_inherit=True), names)
        sys.modules[MODULE] = module
        suite = unittest.TestLoader().loadTestsFromTestCase(names["TestCases"])
    except BaseException as error:
        say({"broken": f"{type(error).__name__}: {error}"[:200]})
        leave(0)
    own = audit.Watched(names["TestCases"])
    say({})
    word = read(secret, 64).decode().strip()
    outcomes = Outcomes()
    try:
        suite.run(outcomes)
    except BaseException as error:  # KeyboardInterrupt and SystemExit are not the tests'
        outcomes.tests[type(error).__name__] = "error"
    if changed := library.changed() or own.changed():
        flag(f"changed {changed}")
    write(report, dumps({"secret": word, "tests": outcomes.tests}).encode() + b"\n")
    leave(0)


def _name(test: Any) -> str:
    return test.id().rpartition(".")[2]


def _settle() -> None:
    """What bigcodebench's `reliability_guard` and `swallow_io` set, as far as a verdict depends on it."""
    os.chdir(tempfile.mkdtemp())
    os.environ["TZ"] = "UTC"
    time.tzset()
    sys.stdin, sys.stdout, sys.stderr = _Unreadable(), io.StringIO(), io.StringIO()
    vars(builtins).update(exit=None, quit=None)


class _Unreadable(io.StringIO):
    def read(self, *_: Any) -> str:
        raise OSError("nothing can be read here")

    readline = read

    def readable(self) -> bool:
        return False

"""What ends a sample that shares an interpreter with its tests: seen at run time, by Python's audit events and by what has changed.

`snow.evaluate.flags` reads the source; this sees what a source can hide, like a name put together out of pieces. An audit hook cannot be
removed. An event counts where code of the sample raises it itself, so that libraries may do the same. What is here is held by
closures alone: no module, class or function leads to it.
"""

from __future__ import annotations

import builtins
import sys
import threading
import unittest
import unittest.mock
from collections.abc import Callable, Collection, Iterable
from types import ModuleType
from typing import Any

SOLUTION, TESTS = "<solution>", "<tests>"  # file names of the code
# Of docs.python.org/3/library/audit_events.html those that lead to frames, to other objects' insides, or around this hook.
_NAMES = """
    code.__new__ cpython._PySys_ClearAuditHooks ctypes.addressof ctypes.cdata ctypes.cdata/buffer ctypes.string_at ctypes.wstring_at
    function.__new__ gc.get_objects gc.get_referents gc.get_referrers marshal.loads object.__delattr__ object.__getattr__
    object.__setattr__ sys._current_exceptions sys._current_frames sys._getframe sys.addaudithook sys.setprofile sys.settrace
"""
EVENTS = frozenset(_NAMES.split())


def begin(flag: Callable[[str], None], descriptors: Collection[int]) -> None:
    """Call `flag`, which must end the process, with a reason for each such event from here on, and when one of the descriptors
    is opened as a file."""
    events, tests, frame_of, thread, looking = EVENTS, TESTS, sys._getframe, threading.get_ident, set[int]()

    def own(name: Any) -> bool:
        """Whether code of that file name may be the sample's: not a file's, the interpreter's or the tests'."""
        return isinstance(name, str) and name.startswith("<") and not name.startswith("<frozen ") and name != tests

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and arguments[0] in descriptors:
            flag("opens the descriptors of its verdict")
        if (event in events or event == "compile") and (mine := thread()) not in looking:
            looking.add(mine)  # to look at a frame is such an event
            name = frame_of(1).f_code.co_filename
            looking.discard(mine)
            if own(name) and (event != "compile" or not own(arguments[1])):
                flag("compiles code in another's name" if event == "compile" else f"{event} {arguments[1:2]}")

    sys.addaudithook(hook)


def watched(owners: Iterable[Any]) -> Callable[[], str]:
    """A function that names the first function, class or tuple of these modules and classes that was replaced since now, or nothing."""
    kept = [(owner, dict(vars(owner))) for owner in owners]
    inherited = dir(unittest.TestCase)

    def changed() -> str:
        for owner, values in kept:
            now = vars(owner)
            for name, value in values.items():
                if (callable(value) or isinstance(value, tuple)) and now.get(name) is not value:
                    return f"{owner.__name__}.{name}"
            for name in now:
                if name not in values and name in inherited and not isinstance(owner, ModuleType):
                    return f"{owner.__name__}.{name}"
        return ""

    return changed


def library() -> list[Any]:
    """What runs tests, compares and stands in for things in them."""
    names = ("unittest.case", "unittest.loader", "unittest.mock", "unittest.result", "unittest.suite", "numpy.testing", "pandas.testing")
    mocks = (unittest.mock.NonCallableMock, unittest.mock.CallableMixin)
    classes = (unittest.TestCase, unittest.TestResult, unittest.TestSuite, unittest.BaseTestSuite, *mocks)
    return [builtins, *(sys.modules[name] for name in names if name in sys.modules), *classes]

"""What ends a sample that shares an interpreter with its tests: at run time, by Python's audit events and by what has changed.

`snow.evaluate.flags` reads the source; this sees what a source can hide, like a name put together out of pieces. An audit hook cannot be
removed. An event counts where the sample's own code is what raises it, so that libraries may do the same.
"""

from __future__ import annotations

import builtins
import sys
import threading
import unittest
from collections.abc import Callable, Collection
from typing import Any

SOLUTION, TESTS = "<solution>", "<tests>"  # file names of the code
# Of docs.python.org/3/library/audit_events.html those that lead to frames, to other objects' insides, or around this hook.
EVENTS = frozenset(
    {
        "code.__new__",
        "cpython._PySys_ClearAuditHooks",
        "ctypes.addressof",
        "ctypes.cdata",
        "ctypes.cdata/buffer",
        "ctypes.string_at",
        "ctypes.wstring_at",
        "function.__new__",
        "gc.get_objects",
        "gc.get_referents",
        "gc.get_referrers",
        "marshal.loads",
        "object.__delattr__",
        "object.__getattr__",
        "object.__setattr__",
        "sys._current_exceptions",
        "sys._current_frames",
        "sys._getframe",
        "sys.addaudithook",
        "sys.setprofile",
        "sys.settrace",
    }
)


def begin(flag: Callable[[str], None], descriptors: Collection[int]) -> None:
    """Call `flag` with a reason, which must end the process, for each such event from here on, and when one of the descriptors
    is opened as a file."""
    frame_of, thread, looking = sys._getframe, threading.get_ident, set[int]()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and arguments[0] in descriptors:
            flag("opens the descriptors of its verdict")
        if (event in EVENTS or event == "compile") and (own := thread()) not in looking:
            looking.add(own)  # to look at a frame is such an event
            name = frame_of(1).f_code.co_filename
            looking.discard(own)
            if _own(name) and (event != "compile" or not _own(arguments[1])):
                flag("compiles code in another's name" if event == "compile" else f"{event} {arguments[1:2]}")

    sys.addaudithook(hook)


def _own(name: Any) -> bool:
    """Whether code of that file name may be the sample's: not a file's, the interpreter's or the tests'."""
    return isinstance(name, str) and name.startswith("<") and not name.startswith("<frozen ") and name != TESTS


class Watched:
    """Names whose values must stay what they are: of a class of tests, or of what compares and reports."""

    def __init__(self, *owners: Any) -> None:
        modules = (builtins, *(sys.modules[name] for name in ("unittest.case", "numpy.testing", "pandas.testing") if name in sys.modules))
        classes = (unittest.TestCase, unittest.TestResult, unittest.TestSuite, unittest.BaseTestSuite)
        self._owners = owners or (*modules, *classes)
        self._values = [dict(vars(owner)) for owner in self._owners]

    def changed(self) -> str:
        """The first that is another value now, or nothing."""
        for owner, values in zip(self._owners, self._values, strict=True):
            for name, value in values.items():
                if callable(value) and vars(owner).get(name) is not value:
                    return f"{owner.__name__}.{name}"
        return ""

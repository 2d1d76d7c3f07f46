"""What runs beside the code under test, inside its sandbox: it defines the solution and calls it with what it is given.

It knows no expected result, no test and no other file. Lines of JSON come in and go out over two descriptors, which the code may
find and write to; all it gains is to answer for itself. Each line out is one event: that the solution begins, that it stands
or broke, or what one call returned or raised.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

from snow.evaluate import plain

BEGUN, STANDS = b'{"begun":1}', b'{"stands":1}'


def serve(solution: str, entry_point: str, asked: BinaryIO, answers: BinaryIO) -> int:
    """Answer calls until there are no more; the exit status. `asked` has a line per batch of calls: a list of argument lists."""
    _say(answers, BEGUN)
    names: dict[str, Any] = {}  # without __name__, as the suites' checkers have it: no main guard runs
    try:
        with _nothing_to_read():
            exec(compile(solution, "<solution>", "exec", dont_inherit=True), names)
        function = names[entry_point]
    except BaseException as error:
        _say(answers, json.dumps({"broken": _named(error)}).encode())
        return 0
    _say(answers, STANDS)
    for line in asked:
        for arguments in plain.loads(line):
            _say(answers, json.dumps(_called(function, arguments)).encode())
    return 0


def _called(function: Any, arguments: Any) -> dict[str, Any]:
    try:
        with _nothing_to_read():
            result = function(*arguments)
        return {"returned": plain.dumps([result])}
    except BaseException as error:
        return {"raised": _named(error)}


def _named(error: BaseException) -> str:
    return str(type(error).__name__)[:100]


def _say(answers: BinaryIO, event: bytes) -> None:
    answers.write(event + b"\n")
    answers.flush()


@contextlib.contextmanager
def _nothing_to_read() -> Iterator[None]:
    """Standard streams of the code's own, which it may close: print and input work, and lead nowhere."""
    streams = sys.stdin, sys.stdout, sys.stderr
    with open(os.devnull) as empty, open(os.devnull, "w") as nowhere:
        sys.stdin, sys.stdout, sys.stderr = empty, nowhere, nowhere
        try:
            yield
        finally:
            sys.stdin, sys.stdout, sys.stderr = streams

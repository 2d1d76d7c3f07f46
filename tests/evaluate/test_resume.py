"""kill -9 while completing or judging: what was done is not done again, and the files are those of an undisturbed run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from snow.evaluate.journal import Journal
from snow.suites.tasks import Task
from tests.evaluate.models import memorise
from tests.stage_runs import ROOT, run


def killed_after(
    rows: int, stage: str, instance: str, folder: Path, inputs: Mapping[str, Path], outputs: Mapping[str, Path], changes: Any
) -> None:
    """Run a stage in a process of its own and kill it when its journal has that many lines."""
    words = [
        stage,
        instance,
        str(folder),
        {name: str(path) for name, path in inputs.items()},
        {name: str(path) for name, path in outputs.items()},
    ]
    code = (
        "import json, sys; from pathlib import Path; from tests.stage_runs import run\n"
        "stage, instance, folder, inputs, outputs, changes = json.loads(sys.argv[1])\n"
        "paths = lambda named: {name: Path(path) for name, path in named.items()}\n"
        "run(stage, instance, Path(folder), paths(inputs), paths(outputs), changes)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, json.dumps([*words, changes])], cwd=ROOT, start_new_session=True)
    journals = folder / "work" / "key"
    deadline = time.monotonic() + 120
    while sum(path.read_bytes().count(b"\n") for path in journals.glob("*.jsonl")) < rows:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not any(path.exists() for path in outputs.values())


def journaled(folder: Path) -> Counter[str]:
    """How often each key is in the journal of the stage that ran there."""
    [path] = (folder / "work" / "key").glob("*.jsonl")
    return Counter(key for line in path.read_text().splitlines() for key in json.loads(line))


def test_completing_goes_on_where_it_was_killed(humaneval: Path, tasks: list[Task], tmp_path: Path) -> None:
    model = memorise([tasks[0].prompt + tasks[0].solution], tmp_path / "model", steps=80)
    inputs, changes = {"model": model, "suite": humaneval}, {"evaluation.completion": {"limit": 24, "batch_size": 2, "max_new_tokens": 64}}
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    run("complete", "phase1/humaneval", whole, inputs, {"completions": whole / "completions.jsonl"}, changes)
    outputs = {"completions": cut / "completions.jsonl"}
    killed_after(3, "complete", "phase1/humaneval", cut, inputs, outputs, changes)
    run("complete", "phase1/humaneval", cut, inputs, outputs, changes)
    assert outputs["completions"].read_bytes() == (whole / "completions.jsonl").read_bytes()
    assert journaled(cut) == Counter(map(str, range(24)))


def test_judging_goes_on_where_it_was_killed(humaneval: Path, tasks: list[Task], tmp_path: Path) -> None:
    solutions = [task.prompt + (task.solution if number % 2 else "    return 0\n") for number, task in enumerate(tasks[:12])]
    solutions[5] = tasks[5].prompt + "    while True: pass\n"  # judged once more, alone
    samples = tmp_path / "completions.jsonl"
    rows = ({"task_id": task.task_id, "solution": solution} for task, solution in zip(tasks, solutions, strict=False))
    samples.write_text("".join(json.dumps(row) + "\n" for row in rows))
    inputs = {"completions": samples, "suite": humaneval}
    changes = {"evaluation.completion": {"limit": 12}, "evaluation.judging": {"timeout_seconds": 1.0}}
    found: list[dict[str, bytes]] = []
    for name, lines in (("whole", 0), ("cut", 4), ("cut again", 12)):
        folder = tmp_path / name
        outputs = {"verdicts": folder / "verdicts.jsonl", "results": folder / "results.json"}
        if lines:
            killed_after(lines, "judge", "phase1/humaneval", folder, inputs, outputs, changes)
        facts = run("judge", "phase1/humaneval", folder, inputs, outputs, changes)
        assert facts["statuses"] == {"fail": 6, "pass": 5, "timeout": 1}
        assert journaled(folder) == Counter(map(str, range(12))) + Counter("5")
        found.append({name: path.read_bytes() for name, path in outputs.items()})
    assert found[1:] == found[:1] * 2


def test_a_torn_line_counts_as_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.add({"0": "é", "1": [1]})
    path.write_bytes(path.read_bytes() + b'{"2": 1, "3": ')
    with Journal(path) as journal:
        assert len(journal) == 2
        assert (journal["0"], "2" in journal) == ("é", False)
        journal.add({"2": None})
    with Journal(path) as journal:
        assert (len(journal), journal["2"]) == (3, None)


@pytest.fixture(autouse=True)
def _own_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processes of these tests find the tests' own modules."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *sys.path]))

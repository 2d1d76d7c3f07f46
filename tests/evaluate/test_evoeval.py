"""EvoEval's categories: their tasks, and verdicts by their own rules."""

from __future__ import annotations

import ast
import gzip
from pathlib import Path

import pytest

from snow.evaluate.judge import Judge
from snow.evaluate.sandbox import Sandbox
from snow.suites.tasks import Task, read_suite
from tests.evaluate.judging import judge_of

CATEGORIES = {"difficult": "difficult", "subtle": "subtle", "tool_use": "tool-use"}  # in the data file's name: in the checker's


@pytest.fixture(params=CATEGORIES)
def category(request: pytest.FixtureRequest, benchmarks: Path, sandbox: Sandbox, tmp_path: Path) -> tuple[Judge, list[Task]]:
    suite = tmp_path / "suite.jsonl"
    suite.write_bytes(gzip.decompress((benchmarks / f"EvoEval_{request.param}.jsonl.gz").read_bytes()))
    return judge_of(suite, sandbox, tmp_path, memory=4 << 30, name=f"evoeval-{CATEGORIES[request.param]}"), read_suite(suite)


def test_tasks_are_whole_programs_with_a_statement(category: tuple[Judge, list[Task]]) -> None:
    tasks = category[1]
    assert len(tasks) == 100
    for task in tasks:
        defined = [node.name for node in ast.parse(task.prompt + task.solution).body if isinstance(node, ast.FunctionDef)]
        assert task.entry_point in defined
        assert task.kind == "evoeval"
    assert sum(bool(task.texts) for task in tasks) >= 99


def test_right_and_wrong_solutions(category: tuple[Judge, list[Task]]) -> None:
    judge, tasks = category
    chosen = [*tasks[::25], tasks[10], tasks[32]]  # two with oracles of their own, in some categories
    right = [(task.task_id, task.prompt + task.solution) for task in chosen]
    wrong = [(task.task_id, f"def {task.entry_point}(*given):\n    return object\n") for task in chosen]
    assert [row["status"] for row in judge.verdicts(right + wrong, 2)] == ["pass"] * len(chosen) + ["fail"] * len(chosen)


@pytest.mark.slow
def test_all_canonical_solutions_pass(category: tuple[Judge, list[Task]]) -> None:
    judge, tasks = category
    rows = judge.verdicts([(task.task_id, task.prompt + task.solution) for task in tasks], 2)
    assert [row for row in rows if row["status"] != "pass"] == []

"""EvoEval: its categories as one suite, their tasks, and verdicts by their own rules."""

from __future__ import annotations

import ast
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

import pytest

from snow.evaluate.examining import Solution
from snow.evaluate.judge import Judge
from snow.evaluate.sandbox import Sandbox
from snow.schema import Category
from snow.suites.checkers.reference import Reference
from snow.suites.fetch import unzipped
from snow.suites.tasks import Task, read_suite
from tests import stage_runs
from tests.evaluate.judging import judge_of

HERE = ("difficult", "subtle", "tool_use")  # those whose data are in ../shared/benchmarks; where the others lie there too, they are taken


@dataclass(frozen=True)
class Suite:
    path: Path
    judge: Judge
    tasks: list[Task]


@pytest.fixture(scope="module")
def suite(benchmarks: Path, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Suite:
    """The suite as its stage leaves it."""
    folder = tmp_path_factory.mktemp("evoeval")
    files = {}
    for category in get_args(Category):
        path = benchmarks / f"EvoEval_{category}.jsonl.gz"
        if not path.exists():
            if category in HERE:
                pytest.skip(f"no {path.name} in ../shared/benchmarks")
            continue
        files[category] = {"data": str(path), "sha256": hashlib.sha256(unzipped(path.read_bytes(), path.name)).hexdigest()}
    declared = {"evaluation.suites.evoeval": {"data": files, "checker": "evoeval"}}
    path = folder / "evoeval.jsonl"
    stage_runs.run("suite", "evoeval", folder, {}, {"suite": path}, declared)
    return Suite(path, judge_of(path, sandbox, folder, memory=4 << 30), read_suite(path))


def canonical(tasks: list[Task]) -> list[tuple[str, str]]:
    return [(task.task_id, task.prompt + task.solution) for task in tasks]


def test_tasks_are_whole_programs_with_a_statement(suite: Suite) -> None:
    categories = [task.category for task in suite.tasks[: len(suite.tasks) // 100]]
    assert categories == sorted(categories)
    assert {*HERE} <= {*categories}
    assert [task.category for task in suite.tasks] == categories * 100
    for task in suite.tasks:
        defined = [node.name for node in ast.parse(task.prompt + task.solution).body if isinstance(node, ast.FunctionDef)]
        assert task.entry_point in defined
        assert task.kind == "evoeval"
        assert task.task_id.startswith(f"{task.category}/EvoEval/")
    assert sum(not task.texts for task in suite.tasks) <= 2


def test_right_and_wrong_solutions(suite: Suite) -> None:
    oracles = ("difficult/EvoEval/10", "difficult/EvoEval/32", "subtle/EvoEval/32")
    chosen = [task for number, task in enumerate(suite.tasks) if number % 17 == 0 or task.task_id in oracles]
    wrong = [(task.task_id, f"def {task.entry_point}(*given):\n    return object\n") for task in chosen]
    statuses = [row["status"] for row in suite.judge.verdicts(canonical(chosen) + wrong, 2)]
    assert statuses == ["pass"] * len(chosen) + ["fail"] * len(chosen)


def test_samples_of_a_task_do_not_meet_each_other(sandbox: Sandbox, tmp_path: Path) -> None:
    """The canonical solution runs once for all of them."""
    row = {"task_id": "own/EvoEval/0", "category": "creative", "entry_point": "f", "inputs": ["[1]", "[2, 1]"]}
    row |= {"prompt": 'def f(numbers):\n    """Sort."""', "canonical_solution": "    numbers.sort()\n    return numbers"}
    path = tmp_path / "suite.jsonl"
    path.write_text(json.dumps(row) + "\n")
    right, wrong = "def f(numbers):\n    return sorted(numbers)\n", "def f(numbers):\n    return numbers\n"
    rows = judge_of(path, sandbox, tmp_path).verdicts([("own/EvoEval/0", text) for text in (right, wrong, right)], 1)
    assert [row["status"] for row in rows] == ["pass", "fail", "pass"]


class Limits:
    """A solution that is right, and the limits that its calls were given."""

    def __init__(self) -> None:
        self.given: list[list[float]] = []

    def calls(self, arguments: str, limits: list[float], total: float | None) -> list[Any]:
        self.given.append(limits)
        return [1] * len(limits)


def test_what_is_large_to_send_takes_no_time_of_a_solutions() -> None:
    """A batch is read before its first call is answered."""
    limits = Limits()
    known = Reference([(1,), (2,), (3,)], [1, 1, 1], times=[0.0, 0.0, 1.0], sending=[0.0, 0.0, 2.0])
    assert known.status(cast(Solution, limits), lambda given, wanted, got: wanted == got) == "pass"
    assert limits.given == [[1.0], [1.0 + 4 * 2.0, 4.0 + 4 * 2.0]]


@pytest.mark.slow
def test_all_canonical_solutions_pass(suite: Suite) -> None:
    assert [row for row in suite.judge.verdicts(canonical(suite.tasks), 2) if row["status"] != "pass"] == []


def test_pass_at_1_is_per_category_and_their_mean(suite: Suite, tmp_path: Path) -> None:
    """Two tasks of each category, of which the subtle ones are answered."""
    rows = [json.loads(line) for line in suite.path.read_text().splitlines()]
    few = [row for category in HERE for row in [row for row in rows if row["category"] == category][:2]]
    path, completions = tmp_path / "suite.jsonl", tmp_path / "completions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in few))
    solutions = {task.task_id: task.prompt + (task.solution if task.category == "subtle" else "") for task in read_suite(path)}
    completions.write_text("".join(json.dumps({"task_id": name, "solution": text}) + "\n" for name, text in solutions.items()))
    declared = {"data": {"subtle": {"data": "", "sha256": None}}, "checker": "evoeval"}  # only the checker is read
    facts = stage_runs.run(
        "judge",
        "phase1/evoeval",
        tmp_path,
        {"suite": path, "completions": completions},
        {"verdicts": tmp_path / "verdicts.jsonl", "results": tmp_path / "results.json"},
        {"evaluation.suites.evoeval": declared},
    )
    values = {name: rate["value"] for name, rate in facts["pass@1"].items()}
    assert values == {"difficult": 0.0, "subtle": 1.0, "tool_use": 0.0, "mean": 0.333333}

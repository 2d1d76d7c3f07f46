"""Verdicts are the suite's own checker's, in order, and pass@1 comes with its uncertainty."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from snow.errors import SnowError
from snow.evaluate.judge import Judge
from snow.evaluate.sandbox import Sandbox
from snow.suites.tasks import Task, read_suite
from tests.evaluate.judging import judge_of
from tests.stage_runs import run


def canonical(tasks: Sequence[Task]) -> list[tuple[str, str]]:
    return [(task.task_id, task.prompt + task.solution) for task in tasks]


def write(path: Path, samples: Sequence[tuple[str, str]]) -> Path:
    path.write_text("".join(json.dumps({"task_id": name, "solution": solution}) + "\n" for name, solution in samples))
    return path


def judged(
    folder: Path, suite: Path, completions: Path, limit: int | None = None, **changes: Any
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The rows and the facts of the stage."""
    inputs, output = {"completions": completions, "suite": suite}, folder / "verdicts.jsonl"
    outputs = {"verdicts": output, "results": folder / "completions_eval_results.json"}
    params = {"evaluation.judging": changes, "evaluation.completion": {"limit": limit}}
    facts = run("judge", "phase1/humaneval", folder, inputs, outputs, params)
    return [json.loads(line) for line in output.read_text().splitlines()], facts


def test_right_wrong_endless_and_unparsable_samples(humaneval: Path, tasks: list[Task], tmp_path: Path) -> None:
    samples = canonical(tasks[:2])
    samples += [(tasks[2].task_id, tasks[2].prompt + "    return 0\n"), (tasks[3].task_id, tasks[3].prompt + "    while True: pass\n")]
    samples += [(tasks[4].task_id, tasks[4].prompt + "    return ((\n")]
    rows, facts = judged(tmp_path, humaneval, write(tmp_path / "completions.jsonl", samples), limit=5, timeout_seconds=1.0)
    assert [row["task_id"] for row in rows] == [f"HumanEval/{number}" for number in range(5)]
    assert [row["status"] for row in rows] == ["pass", "pass", "fail", "timeout", "fail"]
    assert [row["parses"] for row in rows] == [True, True, True, True, False]
    assert facts["statuses"] == {"fail": 2, "pass": 2, "timeout": 1}
    assert facts["pass@1"]["base"] == {"passed": 2, "samples": 5, "tasks": 5, "value": 0.4, "low": 0.117621, "high": 0.769276}
    assert facts["judged_again"] == {"samples": 1, "timeout": 1}
    assert facts["canonical"] == {"checked": 4, "passed": 4}
    assert facts["sandboxed"] is True


def test_a_sample_is_judged_as_it_stands_not_after_the_suites_prompt(judge: Judge, tasks: list[Task]) -> None:
    body = tasks[0].prompt.replace("from typing import List", "List = list") + tasks[0].solution
    unprompted = tasks[0].solution.lstrip()
    assert [row["status"] for row in judge.verdicts([(tasks[0].task_id, body), (tasks[0].task_id, unprompted)], 2)] == ["pass", "fail"]


def test_a_samples_file_that_lacks_tasks_is_refused_by_name(humaneval: Path, tasks: list[Task], tmp_path: Path) -> None:
    path = write(tmp_path / "completions.jsonl", canonical(tasks[:4] + tasks[5:160]) * 2)
    with pytest.raises(SnowError, match=r"no sample for 5 of 164 tasks \(HumanEval/4, HumanEval/160, .*HumanEval/163\).*completion.limit"):
        judged(tmp_path, humaneval, path)
    with pytest.raises(SnowError, match=r"for 1 of 5 tasks \(HumanEval/4\)"):
        judged(tmp_path, humaneval, path, limit=5)


def test_a_verdict_is_the_codes_not_the_machines(judge: Judge, tasks: list[Task]) -> None:
    """Eight copies of a right solution that needs most of its time limit, at once: the machine is too slow for them, the code is not."""
    busy = tasks[0].prompt + tasks[0].solution + "\nimport time\nwhile time.process_time() < 0.9:\n    pass\n"
    asleep = tasks[0].prompt + tasks[0].solution + "\nimport time\ntime.sleep(60)\n"
    rows = replace(judge, seconds=1.5).verdicts([(tasks[0].task_id, busy)] * 8 + [(tasks[0].task_id, asleep)], threads=9)
    assert [row["status"] for row in rows] == ["pass"] * 8 + ["timeout"]


def test_libraries_can_be_imported_under_the_checkers_guard(judge: Judge, tasks: list[Task]) -> None:
    solution = f"import numpy as np\n{tasks[0].prompt}{tasks[0].solution}\nassert (np.ones((9, 9)) @ np.ones((9, 9))).sum() == 729\n"
    assert [row["status"] for row in judge.verdicts([(tasks[0].task_id, solution)], 1)] == ["pass"]


def test_a_harness_that_fails_the_suites_own_solutions_is_an_error_not_a_zero(humaneval: Path, tasks: list[Task], tmp_path: Path) -> None:
    rows = humaneval.read_text().splitlines()
    broken = tmp_path / "broken.jsonl"
    broken.write_text("".join(json.dumps(json.loads(row) | {"canonical_solution": "    return None\n"}) + "\n" for row in rows[:8]))
    with pytest.raises(SnowError, match=r"does not pass the suite's own solutions.*HumanEval/0: fail"):
        judged(tmp_path, broken, write(tmp_path / "completions.jsonl", canonical(tasks[:1])), limit=1)


def test_too_little_memory_for_the_checker_is_an_error_not_a_zero(humaneval: Path, tasks: list[Task], tmp_path: Path) -> None:
    with pytest.raises(SnowError, match="more time or memory"):
        judged(tmp_path, humaneval, write(tmp_path / "completions.jsonl", canonical(tasks[:1])), limit=1, memory_mb=16)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ('{"task_id": "Mbpp/2", "solution": ""}\n', "row 1: the suite has no task 'Mbpp/2'"),
        ('{"task_id": "HumanEval/0"}\n', "row 1: expected JSON with task_id and solution"),
        ("", "holds no sample"),
    ],
)
def test_completions_that_do_not_belong_are_refused(humaneval: Path, tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "completions.jsonl"
    path.write_text(content)
    with pytest.raises(SnowError, match=complaint):
        judged(tmp_path, humaneval, path)


def test_evalplus_tells_base_from_plus(plus: dict[str, Path], sandbox: Sandbox, tmp_path: Path) -> None:
    suite = plus["HumanEvalPlus"]
    task = read_suite(suite)[0]
    right = task.prompt + task.solution
    only_base = task.prompt + "    if len(numbers) > 6:\n        return None\n" + task.solution
    wrong = task.prompt + "    return None\n"
    prose = f"Here is the function:\n```python\n{right}\n```\nIt compares neighbours."  # sanitize takes the code out
    judge = judge_of(suite, sandbox, tmp_path, memory=4 << 30)
    rows = judge.verdicts([(task.task_id, solution) for solution in (right, only_base, wrong, prose)], threads=2)
    assert [(row["base"], row["plus"]) for row in rows] == [("pass", "pass"), ("pass", "fail"), ("fail", "fail"), ("pass", "pass")]
    assert [row["status"] for row in rows] == ["pass", "fail", "fail", "pass"]
    assert [row["parses"] for row in rows] == [True, True, True, False]


def test_a_sample_that_kills_its_parent_fails_alone(plus: dict[str, Path], sandbox: Sandbox, tmp_path: Path) -> None:
    suite = plus["MbppPlus"]
    tasks = read_suite(suite)[:2]
    killer = f"import posix\ndef {tasks[0].entry_point}(*given):\n    posix.kill(posix.getppid(), 9)\n    return ()\n"
    judge = judge_of(suite, sandbox, tmp_path, memory=4 << 30)
    rows = judge.verdicts([(tasks[0].task_id, killer), *canonical(tasks[1:])], threads=1)
    assert [row["status"] for row in rows] == ["fail", "pass"]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "most_failures"), [("HumanEvalPlus", 0), ("MbppPlus", 1)])
def test_canonical_solutions_pass_evalplus(plus: dict[str, Path], sandbox: Sandbox, tmp_path: Path, name: str, most_failures: int) -> None:
    tasks = read_suite(plus[name])
    judge = judge_of(plus[name], sandbox, tmp_path, memory=4 << 30)
    failed = [row for row in judge.verdicts(canonical(tasks), threads=2) if row["status"] != "pass"]
    assert len(failed) <= most_failures, failed


@pytest.mark.slow
def test_canonical_solutions_pass_humaneval(judge: Judge, tasks: list[Task]) -> None:
    assert [row for row in judge.verdicts(canonical(tasks), threads=2) if row["status"] != "pass"] == []

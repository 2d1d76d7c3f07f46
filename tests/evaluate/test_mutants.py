"""Broken solutions are the right one's tokens in another order, fail its tests, and are the same ones every time."""

import gzip
import io
import json
import tokenize
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from snow.evaluate.judge import Judge
from snow.evaluate.mutants import Site, exchanges, sites
from snow.evaluate.sandbox import Sandbox
from snow.suites.fetch import of_category
from snow.suites.tasks import Task, read_suite
from tests.evaluate.judging import judge_of
from tests.stage_runs import run

Row = dict[str, Any]


def made(folder: Path, suite: Path, **changes: Any) -> tuple[dict[str, list[Row]], dict[str, Any]]:
    """(the mutants by task, the facts)."""
    output = folder / "mutants.jsonl"
    given = {f"evaluation.preference.{name}": value for name, value in changes.items()}
    facts = run("mutate", "humaneval", folder, {"suite": suite}, {"mutants": output}, given | {"evaluation.judging.timeout_seconds": 1.0})
    return {row["task_id"]: row["broken"] for row in map(json.loads, output.read_text().splitlines())}, facts


@pytest.fixture(scope="module")
def eight(humaneval: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, list[Row]], dict[str, Any]]:
    """The mutants of the first eight tasks."""
    return made(tmp_path_factory.mktemp("mutants"), humaneval, limit=8, mutants=2)


def tokens(program: str) -> list[str]:
    return [token.string for token in tokenize.generate_tokens(io.StringIO(program).readline)]


def test_mutants_are_judged_to_fail_and_have_the_right_solutions_tokens(
    eight: tuple[dict[str, list[Row]], dict[str, Any]], judge: Judge, tasks: list[Task]
) -> None:
    found, facts = eight
    by_id = {task.task_id: task for task in tasks}
    samples = [(of, by_id[of].prompt + mutant["solution"]) for of, mutants in found.items() for mutant in mutants]
    assert {row["status"] for row in judge.verdicts(samples, threads=1)} == {"fail"}
    assert facts["mutants"] == len(samples) == facts["judged"]["fail"] > 8
    for of, mutants in found.items():
        right = by_id[of].prompt + by_id[of].solution
        for mutant in mutants:
            broken = by_id[of].prompt + mutant["solution"]
            assert Counter(tokens(broken)) == Counter(tokens(right))
            assert sum(one != other for one, other in zip(tokens(broken), tokens(right), strict=True)) == 2
            for place, text in zip(mutant["at"], mutant["exchanged"], strict=True):
                assert right[place:].startswith(text)


def test_each_task_that_has_none_is_named_with_the_reason(eight: tuple[dict[str, list[Row]], dict[str, Any]], tasks: list[Task]) -> None:
    found, facts = eight
    assert facts["tasks"] == 8
    assert facts["tasks_with_mutants"] == len(found)
    assert facts["without"] == {
        "nothing to exchange": ["HumanEval/2"],  # return number % 1.0
        "canonical solution does not pass": [],
        "no mutant fails": [],
    }
    assert {*found, "HumanEval/2"} == {task.task_id for task in tasks[:8]}


def test_a_task_has_the_same_mutants_whatever_is_made_beside_them(
    eight: tuple[dict[str, list[Row]], dict[str, Any]], humaneval: Path, tasks: list[Task], tmp_path: Path
) -> None:
    first, _ = made(tmp_path / "1", humaneval, limit=2, mutants=2)
    again, _ = made(tmp_path / "2", humaneval, limit=2, mutants=2)
    assert (tmp_path / "1/mutants.jsonl").read_bytes() == (tmp_path / "2/mutants.jsonl").read_bytes()
    assert first == again == {of: eight[0][of] for of in ("HumanEval/0", "HumanEval/1")}
    assert [*exchanges(tasks[0], 0)] != [*exchanges(tasks[0], 1)], "drawn by the seed"


def written(folder: Path, *solutions: tuple[str, str]) -> Path:
    """A suite of functions f(a, b), each a body and what the tests say of `c`."""
    rows = [
        {
            "task_id": f"own/{number}",
            "prompt": 'def f(a, b):\n    """Größe."""\n',
            "entry_point": "f",
            "canonical_solution": body,
            "test": f"def check(c):\n    assert {test}\n",
        }
        for number, (body, test) in enumerate(solutions)
    ]
    (folder / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "own.jsonl"


def test_what_passes_or_takes_too_long_is_no_mutant(tmp_path: Path) -> None:
    suite = written(
        tmp_path,
        ("    return a - b\n", "c(3, 1) == 2"),
        ("    return a + b\n", "c(3, 1) == 4"),
        ("    return sum(1 for _ in range(1, a)) - b - b\n", "c(2, 10**12) == 1 - 2 * 10**12"),
        ("    return a - b\n", "c(3, 1) == 3"),
        ("    return 1\n", "c(3, 1) == 1"),
        ("    return (1\n", "c(3, 1) == 1"),
    )
    found, facts = made(tmp_path, suite)
    assert [mutant["solution"] for mutant in found.pop("own/0")] == ["    return b - a\n"]
    assert found == {}
    assert facts["judged"] == {"fail": 1, "pass": 1, "timeout": 2}
    assert facts["without"] == {
        "nothing to exchange": ["own/4", "own/5"],
        "canonical solution does not pass": ["own/3"],
        "no mutant fails": ["own/1", "own/2"],
    }


def test_only_variables_that_are_read_and_no_while_loops() -> None:
    program = "def f(é, n=0):\n    s = '''\x0c\n    n'''\n    while n < é:\n        n += 1\n    return g(é, n=n) + é.n - len(s)\n"
    line = program.index("return")
    found = list(sites(program, 0))
    assert [(site.family, site.text) for site in found if site.begin < line] == [("numbers", "0")]
    assert [site.text for site in found if site.begin >= line] == ["é", "n", "+", "é", "-", "s"]
    assert Site("variables", "s", program.index("s)")) in found


@pytest.mark.parametrize("name", ["HumanEvalPlus", "MbppPlus", "EvoEval_difficult"])
def test_every_suite_has_mutants_that_its_checker_fails(name: str, benchmarks: Path, sandbox: Sandbox, tmp_path: Path) -> None:
    suite = tmp_path / "suite.jsonl"
    data = b"\n".join(gzip.decompress((benchmarks / f"{name}.jsonl.gz").read_bytes()).split(b"\n")[:6])
    suite.write_bytes("".join(of_category("difficult", data, name)).encode() if "EvoEval" in name else data)
    judge, own = judge_of(suite, sandbox, tmp_path), read_suite(suite)
    samples = [(task.task_id, task.code + mutant.solution) for task in own for mutant in [*exchanges(task, 0)][:1]]
    assert len(samples) >= 3
    assert [row["status"] for row in judge.verdicts(samples, threads=2)].count("fail") >= len(samples) - 1

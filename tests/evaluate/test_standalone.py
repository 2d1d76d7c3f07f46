"""`snow judge SUITE SAMPLES`: anybody's samples on any suite, with a table, files that upstream's tools read, and an exit status."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from snow import cli
from snow.suites.tasks import Task, read_suite


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(autouse=True)
def _one_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process has what the checkers need."""
    monkeypatch.setattr("snow.environments.enter", lambda env, arguments: None)


@pytest.fixture
def few(humaneval: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The first five tasks, in a folder that is no project."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "few.jsonl"
    path.write_text("".join(line + "\n" for line in humaneval.read_text().splitlines()[:5]))
    return path


def test_a_table_files_and_status_0(few: Path, tasks: list[Task], capsys: pytest.CaptureFixture[str]) -> None:
    whole = [{"task_id": task.task_id, "solution": task.prompt + task.solution} for task in tasks[:4]]
    samples = write(few.with_name("samples.jsonl"), [*whole, {"task_id": tasks[4].task_id, "completion": "    return 0\n"}])
    assert cli.main(["judge", str(few), str(samples), "--threads", "2"]) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[1].split() == ["base", "1", "0.800", "0.376", "to", "0.964", "4", "5", "5"]
    told = json.loads(few.with_name("samples_eval_results.json").read_text())["eval"]
    assert [told[task.task_id][0]["base_status"] for task in tasks[:5]] == ["pass"] * 4 + ["fail"]
    assert told[tasks[4].task_id][0]["solution"] == tasks[4].prompt + "    return 0\n"
    assert len(few.with_name("samples_verdicts.jsonl").read_text().splitlines()) == 5
    assert {path.name for path in few.parent.iterdir()} == {
        "few.jsonl",
        "samples.jsonl",
        "samples_eval_results.json",
        "samples_verdicts.jsonl",
    }


def test_missing_tasks_are_an_error_or_by_flag_a_partial_rate(few: Path, tasks: list[Task], capsys: pytest.CaptureFixture[str]) -> None:
    samples = write(few.with_name("samples.jsonl"), [{"task_id": tasks[1].task_id, "solution": tasks[1].prompt + tasks[1].solution}] * 10)
    assert cli.main(["judge", str(few), str(samples)]) == 2
    told = capsys.readouterr().err
    assert "no sample for 4 of 5 tasks (HumanEval/0, HumanEval/2, HumanEval/3, HumanEval/4)" in told
    assert "--partial" in told
    assert not few.with_name("samples_eval_results.json").exists()
    assert cli.main(["judge", str(few), str(samples), "--partial"]) == 1
    printed = capsys.readouterr().out
    assert "PARTIAL: 4 of 5 tasks have no sample" in printed
    assert [line.split()[:3] for line in printed.splitlines()[1:3]] == [["base", "1", "1.000"], ["base", "10", "1.000"]]


@pytest.mark.parametrize(
    ("suite", "samples", "complaint"),
    [
        ("few.jsonl", "none.jsonl", "there is no samples file none.jsonl"),
        ("nothing", "samples.jsonl", "there is no file nothing, and no params.yaml here"),
        ("samples.jsonl", "samples.jsonl", "row 1: not a task of HumanEval"),
    ],
)
def test_what_is_not_there_is_told(few: Path, suite: str, samples: str, complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    write(few.with_name("samples.jsonl"), [{"task_id": "HumanEval/0", "solution": ""}])
    assert cli.main(["judge", suite, samples]) == 2
    assert complaint in capsys.readouterr().err


def test_evalplus_reads_the_results(benchmarks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """EvalPlus' own tool, given the samples, takes our verdicts for its own and counts them."""
    monkeypatch.chdir(tmp_path)
    data = benchmarks / "HumanEvalPlus.jsonl.gz"
    if not data.exists():
        pytest.skip("no HumanEvalPlus.jsonl.gz in ../shared/benchmarks")

    lines = gzip.decompress(data.read_bytes()).decode().splitlines()[:6]
    Path("few.jsonl").write_text("".join(line + "\n" for line in lines))
    tasks = read_suite(Path("few.jsonl"))
    rows = [{"task_id": task.task_id, "solution": task.prompt + (task.solution if number else "")} for number, task in enumerate(tasks)]
    write(Path("samples.jsonl"), rows)
    assert cli.main(["judge", "few.jsonl", "samples.jsonl"]) == 0
    counted = subprocess.run(
        [sys.executable, "-m", "evalplus.evaluate", "humaneval", "--samples", "samples.jsonl"], capture_output=True, text=True, check=True
    )
    assert "pass@1:\t0.833" in counted.stdout


@pytest.mark.parametrize("name", ["EvoEval_subtle.jsonl", "unnamed.jsonl"])
def test_a_file_of_one_of_evoevals_categories(benchmarks: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:

    data = benchmarks / "EvoEval_subtle.jsonl.gz"
    if not data.exists():
        pytest.skip("no EvoEval_subtle.jsonl.gz in ../shared/benchmarks")
    lines = gzip.decompress(data.read_bytes()).decode().splitlines()
    suite = tmp_path / name
    suite.write_text("".join(line + "\n" for line in lines if json.loads(line)["task_id"] in ("EvoEval/0", "EvoEval/32")))
    rows = [{"task_id": task.task_id, "solution": task.prompt + task.solution} for task in read_suite(suite)]
    status = cli.main(["judge", str(suite), str(write(tmp_path / "samples.jsonl", rows))])
    said = capsys.readouterr()
    if name == "unnamed.jsonl":
        assert status == 2
        assert "does not say of which category" in said.err
    else:
        assert status == 0
        assert "2 pass" in said.out

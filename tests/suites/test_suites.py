"""Suites are read as what they are, and pinned."""

import gzip
import hashlib
import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, get_args

import pytest

from snow.errors import SnowError
from snow.schema import Suite
from snow.suites import available
from snow.suites.checkers import CHECKERS
from snow.suites.tasks import Task, read_suite
from tests import stage_runs
from tests.stage_runs import run
from tests.suites.files import HUMANEVAL

SHA256 = "1d49078ba3e2b196b9344535bef34a43021f038fad9561d6ee7c53450609a6a2"


def fetch(folder: Path, **changes: str) -> Path:
    """The suite file the stage writes."""
    suite = {"data": HUMANEVAL, "sha256": SHA256, "checker": "human-eval"} | changes
    output = folder / "suites" / "mine.jsonl"
    run("suite", "mine", folder, {}, {"suite": output}, {"evaluation.suites.mine": suite})
    return output


def test_every_humaneval_task_states_a_problem_and_solves_it(humaneval: Path) -> None:
    tasks = read_suite(humaneval)
    assert len(tasks) == 164
    for task in tasks:
        [text] = task.texts
        assert len(text) > 40
        assert '"""' not in text
        assert "def " + task.entry_point in task.prompt
        assert task.solution not in task.prompt
        compile(task.prompt + task.solution, task.task_id, "exec")


@pytest.mark.parametrize(
    ("name", "count", "kind", "texts"),
    [
        ("HumanEvalPlus", 164, "humaneval+", 1),
        ("MbppPlus", 378, "mbpp+", 1),
        ("BigCodeBench", 1140, "bigcodebench", 2),
        ("EvoEval_difficult", 100, "evoeval", 1),
        ("EvoEval_subtle", 100, "evoeval", 1),
    ],
)
def test_the_other_suites_are_understood(benchmarks: Path, tmp_path: Path, name: str, count: int, kind: str, texts: int) -> None:
    path = tmp_path / "suite.jsonl"
    path.write_bytes(gzip.decompress((benchmarks / f"{name}.jsonl.gz").read_bytes()))
    tasks = read_suite(path)
    assert len(tasks) == count
    assert {task.kind for task in tasks} == {kind}
    assert {len(task.texts) for task in tasks} == {texts}
    assert all(text and "assert " not in text.splitlines()[0] for task in tasks for text in task.texts)
    assert all(task.entry_point in task.prompt + task.solution for task in tasks)


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([{"task_id": "a"}], "row 1: not a task"),
        ([], "holds no task"),
    ],
)
def test_a_file_that_is_no_suite_is_refused(tmp_path: Path, rows: list[dict[str, Any]], complaint: str) -> None:
    path = tmp_path / "suite.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(SnowError, match=complaint):
        read_suite(path)


def test_a_task_given_twice_is_refused(humaneval: Path, tmp_path: Path) -> None:
    path = tmp_path / "suite.jsonl"
    first = humaneval.read_text().splitlines()[0]
    path.write_text(f"{first}\n{first}\n")
    with pytest.raises(SnowError, match="task_id occurs twice"):
        read_suite(path)


def test_the_stage_writes_the_pinned_file_unzipped(humaneval: Path, tmp_path: Path) -> None:
    assert fetch(tmp_path).read_bytes() == humaneval.read_bytes()


def test_other_bytes_than_the_pinned_ones_stop_the_run(tmp_path: Path) -> None:
    with pytest.raises(SnowError, match=rf"is {SHA256}, but evaluation\.suites\.mine\.sha256 expects {'0' * 64}"):
        fetch(tmp_path, sha256="0" * 64)


def test_a_checker_for_other_tasks_is_refused_before_any_model_runs(tmp_path: Path) -> None:
    with pytest.raises(SnowError, match="checker evalplus-mbpp does not judge; name the one that does: human-eval"):
        fetch(tmp_path, checker="evalplus-mbpp")


@pytest.fixture
def categories(tmp_path: Path) -> dict[str, Path]:
    """Two files in EvoEval's shape, which number their tasks alike."""
    row = {"task_id": "EvoEval/0", "entry_point": "f", "canonical_solution": "    return x", "inputs": ["1"]}
    paths = {category: tmp_path / f"{category}.jsonl" for category in ("subtle", "creative")}
    for category, path in paths.items():
        path.write_text(json.dumps(row | {"prompt": f'def f(x):\n    """A {category} task."""'}) + "\n")
    return paths


def fetch_categories(folder: Path, files: dict[str, Any]) -> tuple[list[Task], dict[str, Any]]:
    """What the stage writes of a suite with categories, and its facts."""
    output = folder / "suites" / "mine.jsonl"
    suite = {"data": files, "checker": "evoeval"}
    facts = run("suite", "mine", folder, {}, {"suite": output}, {"evaluation.suites.mine": suite})
    return read_suite(output), facts


def test_categories_become_one_suite(categories: dict[str, Path], tmp_path: Path) -> None:
    pins = {name: {"data": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for name, path in categories.items()}
    tasks, facts = fetch_categories(tmp_path, pins)
    assert [(task.task_id, task.category) for task in tasks] == [("creative/EvoEval/0", "creative"), ("subtle/EvoEval/0", "subtle")]
    assert [task.texts for task in tasks] == [("A creative task.",), ("A subtle task.",)]
    assert (facts["tasks"], facts["kind"], facts["categories"]) == (2, "evoeval", {"creative": 1, "subtle": 1})
    assert facts["sha256"] == hashlib.sha256((tmp_path / "suites" / "mine.jsonl").read_bytes()).hexdigest()


def test_a_file_without_a_pin_is_named_with_the_hash_it_has(categories: dict[str, Path], tmp_path: Path) -> None:
    path = categories["subtle"]
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(SnowError, match=rf"is {sha256}; compare it and write it to evaluation\.suites\.mine\.data\.subtle\.sha256"):
        fetch_categories(tmp_path, {"subtle": {"data": str(path), "sha256": None}})


@pytest.mark.parametrize("content", ["[1]\n", "{}\n", "no JSON\n", "3\n"])
def test_a_category_that_holds_no_tasks_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "subtle.jsonl"
    path.write_text(content)
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    with pytest.raises(SnowError, match=r"suites\.mine\.data\.subtle\.data names no file of JSON rows"):
        fetch_categories(tmp_path, {"subtle": {"data": str(path), "sha256": sha256}})


def test_a_broken_archive_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jsonl.gz"
    broken.write_bytes(gzip.compress(b"x" * 1000)[:-20])
    with pytest.raises(SnowError, match="broken gzip"):
        fetch(tmp_path, data=str(broken))


@pytest.fixture
def served(humaneval: Path, tmp_path: Path) -> Iterator[str]:
    """The address of a web server that has the suite, zipped."""
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "HumanEval.jsonl.gz").write_bytes(gzip.compress(humaneval.read_bytes()))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_suite_is_fetched_from_its_address(served: str, humaneval: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert fetch(tmp_path, data=f"{served}/HumanEval.jsonl.gz").read_bytes() == humaneval.read_bytes()
    with pytest.raises(SnowError, match=r"could not be fetched.*404"):
        fetch(tmp_path, data=f"{served}/absent.jsonl.gz")


def test_the_pinned_hash_is_of_the_content_not_of_the_archive(humaneval: Path) -> None:
    assert hashlib.sha256(humaneval.read_bytes()).hexdigest() == SHA256


def test_params_take_the_checkers_that_there_are() -> None:
    assert get_args(Suite.model_fields["checker"].annotation) == tuple(CHECKERS)


EMPTY = json.dumps(
    {"task_id": "T/0", "prompt": 'def f(x):\n    """Add."""\n', "entry_point": "f", "canonical_solution": "    return x\n", "test": ""}
)


@pytest.mark.parametrize(
    ("data", "content", "complaint"),
    [
        ("absent.jsonl", None, r"^evaluation\.suites\.humaneval\.data: absent\.jsonl does not exist; correct the path"),
        (".", None, r"evaluation\.suites\.humaneval\.data: \. cannot be read"),
        ("package:no_such_package/x.jsonl", None, "the package no_such_package is not installed"),
        ("package:human_eval/data/No.jsonl", None, "matches 0 files under human_eval"),
        ("http://127.0.0.1:9/x.jsonl", None, "could not be fetched"),
        ("empty.jsonl", "", r"evaluation\.suites\.humaneval\.data holds no task"),
        ("blank.jsonl", "\n \n", r"evaluation\.suites\.humaneval\.data holds no task"),
        ("prose.jsonl", "no rows\n", r"evaluation\.suites\.humaneval\.data, row 1: not a task"),
        ("silent.jsonl", EMPTY, "suite humaneval: none of its 1 tasks has a text that can be found"),
        ("other.jsonl", None, "its SHA-256, unzipped, is"),
    ],
)
def test_a_suite_that_cannot_be_had_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: str, content: str | None, complaint: str
) -> None:
    """Of files, addresses and packages: absent, empty, without tasks, without a text to find, not the pinned one."""
    monkeypatch.chdir(tmp_path)
    Path("other.jsonl").write_text("another\n")
    sha256 = "0" * 64
    if content is not None:
        Path(data).write_text(content)
        sha256 = hashlib.sha256(content.encode()).hexdigest()
    params = stage_runs.params({"evaluation.suites.humaneval": {"data": data, "sha256": sha256}})
    with pytest.raises(SnowError, match=complaint) as error:
        available.check(params, "humaneval", "eval")
    assert "\n" not in str(error.value)

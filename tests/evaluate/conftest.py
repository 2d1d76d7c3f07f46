"""HumanEval as the package ships it, and a way to judge solutions of its first task in the real sandbox."""

import gzip
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from snow.evaluate.judge import Judge
from snow.evaluate.sandbox import Sandbox, open_sandbox
from snow.suites.tasks import Task, read_suite
from tests.evaluate.judging import judge_of
from tests.suites.files import write_humaneval


@pytest.fixture(scope="session")
def humaneval(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_humaneval(tmp_path_factory.mktemp("suites"))


@pytest.fixture(scope="session")
def tasks(humaneval: Path) -> list[Task]:
    return read_suite(humaneval)


@pytest.fixture(scope="session")
def plus(benchmarks: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """HumanEval+ and MBPP+, unzipped."""
    folder, paths = tmp_path_factory.mktemp("plus"), {}
    for name in ("HumanEvalPlus", "MbppPlus"):
        paths[name] = folder / f"{name}.jsonl"
        paths[name].write_bytes(gzip.decompress((benchmarks / f"{name}.jsonl.gz").read_bytes()))
    return paths


@pytest.fixture(scope="session")
def sandbox() -> Sandbox:
    return open_sandbox(allow_unsandboxed=False)


@pytest.fixture
def judge(humaneval: Path, sandbox: Sandbox, tmp_path: Path) -> Judge:
    return judge_of(humaneval, sandbox, tmp_path)


@pytest.fixture
def verdict(judge: Judge, tasks: list[Task]) -> Callable[..., dict[str, Any]]:
    """Judge the canonical solution of HumanEval/0 with code of ours before it; `ESCAPED = True` in that code makes it wrong."""

    def judged(prelude: str, seconds: float = 3.0, memory: int = 2 << 30) -> dict[str, Any]:
        task = tasks[0]
        body = f"{prelude}\n{task.prompt}{task.solution}"
        guarded = f"ESCAPED = False\n{body}\nif ESCAPED:\n    del {task.entry_point}\n"
        chosen = replace(judge, limits=replace(judge.limits, memory=memory), seconds=seconds)
        [row] = chosen.verdicts([(task.task_id, guarded)], threads=1)
        return row

    return judged


@pytest.fixture
def processes_named() -> Callable[[str], list[int]]:
    """The processes of this machine whose name (/proc/PID/comm) is the given one."""

    def named(name: str) -> list[int]:
        return list(_named(name))

    return named


def _named(name: str) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                comm = (entry / "comm").read_text().strip()
            except OSError:  # it ended meanwhile
                continue
            if comm == name:
                yield int(entry.name)

"""Training through Slurm: workers on several nodes, jobs that are cancelled or run out of time and continue."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
from pathlib import Path

import pytest

from tests.pretrain.phase_jobs import Data, command, digest, finish, log, make_data

from .project import SNAKEFILE, Project

RULE = """\
rule pretrain:
    output:
        model=directory("model"),
        receipt="receipt.json",
    log:
        "logs/pretrain.log",
    threads: 1
    resources:
        mem_mb=1000,
        runtime=snow_workflow.growing({minutes}),
        nodes={nodes},
        tasks={tasks},
    shell:
        "{command} > {{log}} 2>&1"
"""
LONG = {"tokens": 120 * 8 * 64, "repetitions": 100}  # long enough to be interrupted


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    return make_data(tmp_path_factory.mktemp("data"))


def write(project: Project, data: Data, nodes: int = 1, tasks: int = 1, minutes: int = 5, **changes: object) -> None:
    """A workflow whose one job is the tiny phase, called as the pipeline's rule calls it."""
    words = command(data, project.path, **changes)
    line = shlex.join(["snow", *words[words.index("snow") + 1 :], "--threads", "1"])
    rule = RULE.format(minutes=minutes, nodes=nodes, tasks=tasks, command=line)
    project.write(f"{SNAKEFILE}\n{rule}")


def alone(data: Data, folder: Path, **changes: object) -> Path:
    """The model of the same phase on one process, without Slurm."""
    finish(command(data, folder, **changes), folder)
    return folder / "model"


def result(model: Path) -> dict[str, str]:
    """The hashes of a model's files."""
    return {name: value for name, value in digest(model).items() if name != ".snakemake_timestamp"}


def records(project: Project) -> int:
    """How many steps the running training has logged."""
    return sum(len(path.read_bytes().splitlines()) for path in project.path.glob(".snow/work/*/log.jsonl"))


def newest(project: Project) -> int:
    """The step of its newest checkpoint."""
    return max((int(path.name.removeprefix("step-")) for path in project.path.glob(".snow/work/*/step-*")), default=0)


def stop(project: Project) -> int:
    """Freeze the training, wherever its nodes are, once there is a checkpoint; the checkpoint's step."""
    project.wait(lambda: newest(project) >= 10, "checkpoints")
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").resolve() == project.path and b"\0snow\0pretrain\0" in (process / "cmdline").read_bytes():
                os.kill(int(process.name), signal.SIGSTOP)
    assert not (project.path / "model").exists()
    return newest(project)


def continues(project: Project, step: int) -> None:
    """Watch the rest of the training: its log is cut back to the checkpoint at most."""
    least = records(project)
    project.wait(lambda: records(project) > least or (project.path / "model").exists(), "training to go on", 120)

    def over() -> bool:
        nonlocal least
        least = min(least, records(project) or least)
        return (project.path / "model").exists()

    project.wait(over, "the model", 120)
    assert least >= step


@pytest.mark.parametrize("tasks", [2, 4])
def test_workers_on_two_nodes_follow_the_curve_of_one_process(
    project: Project, data: Data, tmp_path: Path, tasks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")  # n1 and n2 are no names that can be looked up
    write(project, data, nodes=2, tasks=tasks)
    project.run("pretrain")
    job = project.cluster.details(project.cluster.number_of("pretrain") or "")
    assert (job["NumNodes"], job["NumTasks"]) == ("2", str(tasks))
    ours, theirs = log(project.path / "model"), log(alone(data, tmp_path / "alone"))
    assert [record["tokens"] for record in ours] == [record["tokens"] for record in theirs]
    assert [record["loss"] for record in ours] == pytest.approx([record["loss"] for record in theirs], abs=1e-4)
    assert f"{tasks // 2} workers on each of 2 nodes" in (project.path / "logs/pretrain.log").read_text()
    for node in project.cluster.names:
        assert f"launch task StepId={job['JobId']}.0 " in (project.cluster.root / f"log/slurmd.{node}.log").read_text()


def test_a_cancelled_training_continues_from_its_newest_checkpoint(project: Project, data: Data, tmp_path: Path) -> None:
    write(project, data, **LONG)
    run = project.start("pretrain")
    step = stop(project)
    project.cluster.command("scancel", project.cluster.number_of("pretrain", "running") or "")
    continues(project, step)
    run.succeeds()
    assert result(project.path / "model") == result(alone(data, tmp_path / "alone", **LONG))


@pytest.mark.slow
def test_a_training_out_of_time_continues_from_its_newest_checkpoint(project: Project, data: Data, tmp_path: Path) -> None:
    write(project, data, minutes=1, **LONG)
    run = project.start("pretrain")
    step = stop(project)
    first = project.cluster.number_of("pretrain") or ""
    project.wait(lambda: project.cluster.details(first)["JobState"] == "TIMEOUT", "the time limit", 150)
    continues(project, step)
    run.succeeds()
    second = project.cluster.number_of("pretrain") or ""
    assert project.cluster.details(second)["TimeLimit"] == "00:02:00"
    assert result(project.path / "model") == result(alone(data, tmp_path / "alone", **LONG))

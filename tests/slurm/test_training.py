"""Training through Slurm: workers on several nodes, and jobs that are ended and continue."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pretrain.phase_jobs import Data, log

from .project import Project
from .training import LONG, alone, continued_from, newest, result, stop, write


def test_workers_on_two_nodes_follow_the_curve_of_one_process(
    project: Project, data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two workers on each of two nodes, through srun and torchrun."""
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")  # n1 and n2 are no names that can be looked up
    write(project, data, nodes=2, tasks=4)
    project.run("pretrain")
    job = project.cluster.details(project.cluster.number_of("pretrain") or "")
    assert (job["NumNodes"], job["NumTasks"]) == ("2", "4")
    ours, theirs = log(project.path / "model"), log(alone(data, tmp_path / "alone"))
    assert [record["tokens"] for record in ours] == [record["tokens"] for record in theirs]
    assert [record["loss"] for record in ours] == pytest.approx([record["loss"] for record in theirs], abs=1e-4)
    assert "2 workers on each of 2 nodes" in (project.path / "logs/pretrain.log").read_text()
    for node in project.cluster.names:
        assert f"launch task StepId={job['JobId']}.0 " in (project.cluster.root / f"log/slurmd.{node}.log").read_text()


@pytest.fixture(scope="module")
def uninterrupted(data: Data, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the long training gives on one process that nobody interrupts."""
    return result(alone(data, tmp_path_factory.mktemp("alone"), **LONG))


def test_a_cancelled_training_continues_from_its_newest_checkpoint(project: Project, data: Data, uninterrupted: dict[str, str]) -> None:
    write(project, data, **LONG)
    run = project.start("pretrain")
    step = stop(project)
    project.cluster.command("scancel", project.cluster.number_of("pretrain", "running") or "")
    run.succeeds()
    assert continued_from(project) > step  # it was told, and saved what it had done since
    assert result(project.path / "model") == uninterrupted


def test_a_time_limit_uses_up_no_retry(project: Project, data: Data, uninterrupted: dict[str, str]) -> None:
    """Twice, at whatever step: the job goes on under its number from what it saved when Slurm told it to end."""
    write(project, data, minutes=1, **LONG)
    run = project.start("pretrain", "--retries", "0")
    saved = 0
    for restarts in range(2):
        frozen = stop(project, saved + 10)
        number = project.cluster.number_of("pretrain", "running") or ""
        end_time(project, number)
        requeued = str(restarts + 1)
        project.wait(lambda: project.cluster.details(number)["Restarts"] == requeued, "the job to be queued again")  # noqa: B023
        saved = newest(project)
        assert saved > frozen
    run.succeeds()
    assert continued_from(project) == saved
    assert result(project.path / "model") == uninterrupted


def test_a_time_limit_that_nothing_came_of_is_a_failure(project: Project) -> None:
    run = project.write(shards=1, held="0").start("all", "--retries", "0")
    project.wait(lambda: project.started("0"), "shard 0 to run")
    number = project.running("0")
    end_time(project, number)
    assert run.ends() == 1
    assert project.cluster.details(number)["JobState"] == "TIMEOUT"
    assert project.starts() == {"0": 1}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_job_that_is_warned_of_its_limit_goes_on_at_once(
    project: Project, data: Data, uninterrupted: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    """The signal of `sbatch --signal=B:USR1@SECONDS`, which reaches the job's script alone; torchrun passes it on."""
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    length = {**LONG, "tokens": LONG["tokens"] // workers}  # two take four times as long for a step
    write(project, data, tasks=workers, **length)
    run = project.start("pretrain", "--retries", "0")
    project.wait(lambda: newest(project) >= 10, "checkpoints")
    number = project.cluster.number_of("pretrain", "running") or ""
    project.cluster.command("scancel", "--batch", "--signal=USR1", number)
    run.succeeds()
    assert project.cluster.details(number)["Restarts"] == "1"
    assert continued_from(project) > 10
    alone_so = uninterrupted if workers == 1 else result(alone(data, tmp_path / "alone", workers=workers, **length))
    assert result(project.path / "model") == alone_so


def end_time(project: Project, number: str) -> None:
    """Let the time limit of a running job be over, which Slurm sees to within half a minute."""
    project.cluster.command("scontrol", "update", f"jobid={number}", "endtime=now+1")

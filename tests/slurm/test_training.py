"""Training through Slurm: workers on several nodes, and a cancelled job that continues."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pretrain.phase_jobs import Data, log

from .project import Project
from .training import LONG, alone, continued_from, result, stop, write


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


def test_a_cancelled_training_continues_from_its_newest_checkpoint(project: Project, data: Data, tmp_path: Path) -> None:
    write(project, data, **LONG)
    run = project.start("pretrain")
    step = stop(project)
    project.cluster.command("scancel", project.cluster.number_of("pretrain", "running") or "")
    run.succeeds()
    assert continued_from(project) == step
    assert result(project.path / "model") == result(alone(data, tmp_path / "alone", **LONG))

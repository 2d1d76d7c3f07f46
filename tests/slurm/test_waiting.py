"""Two tests that mostly wait: the first begins, on a cluster of its own, what the second waits for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.pretrain.phase_jobs import Data

from .conftest import running_cluster
from .project import SNAKEFILE, Project, Run
from .training import LONG, alone, continued_from, result, stop, write

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Frozen:
    """A training that makes no progress after `step` until its time limit."""

    project: Project
    run: Run
    step: int


@pytest.fixture(scope="module")
def out_of_time(data: Data, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Frozen]:
    for cluster in running_cluster(tmp_path_factory.mktemp("c")):
        project = Project(tmp_path_factory.mktemp("training") / "a project", cluster)
        write(project, data, minutes=1, **LONG)
        run = project.start("pretrain", "--retries", "0")
        yield Frozen(project, run, stop(project))


def test_a_controller_away_for_70_seconds_delays_and_no_more(out_of_time: Frozen, project: Project) -> None:
    """Jobs end meanwhile, and one that depends on them is to be submitted before it is back."""
    total = 'rule total:\n    input: expand("out/{n}.txt", n=SHARDS)\n    output: "total.txt"\n    shell: "cat {input} > {output}"\n'
    run = project.write(SNAKEFILE + total, held="012").start("total")
    project.wait(lambda: project.started("0", "1", "2"), "all shards to run")
    project.cluster.stop_controller()
    gone = time.monotonic()
    project.release()
    project.wait(lambda: "sbatch: the controller does not answer" in run.said, "a submission to be tried in vain")
    time.sleep(max(0.0, gone + 70 - time.monotonic()))
    project.cluster.start_controller()
    run.succeeds(seconds=60)
    assert (project.path / "total.txt").exists()
    assert set(project.starts().values()) == {1}


def test_a_training_out_of_time_continues_from_its_newest_checkpoint(out_of_time: Frozen, data: Data, tmp_path: Path) -> None:
    project = out_of_time.project
    out_of_time.run.succeeds()
    job = project.cluster.details("1")
    assert (job["JobState"], job["Restarts"], job["TimeLimit"]) == ("COMPLETED", "1", "00:01:00"), "the limit cost a retry"
    assert continued_from(project) > out_of_time.step
    assert result(project.path / "model") == result(alone(data, tmp_path / "alone", **LONG))

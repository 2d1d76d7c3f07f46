"""The whole recipe through a real Slurm: the same bytes as on one machine, and nothing left to do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from snow import jobs, params
from tests.slurm.conftest import running_cluster
from tests.slurm.project import SITE

from . import workspace
from .workspace import Clone

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def submitted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """A new clone in which `snakemake --profile slurm all` has run once."""
    for cluster in running_cluster(tmp_path_factory.mktemp("c"), cpus=2, memory=64000):
        clone = workspace.create(tmp_path_factory.mktemp("submitted") / "a clone", imports=True)  # a job's process is Slurm's
        (clone.path / "slurm/site.yaml").write_text(SITE)
        clone.run("snakemake", "--profile", "slurm", "all", SLURM_CONF=f"{cluster.root}/slurm.conf")
        yield clone


def test_every_stage_ran_as_a_slurm_job(submitted: Clone) -> None:
    submissions = [log.parent.name.split("+") for log in (submitted.path / "logs/slurm").rglob("*.log")]
    assert {rule for rules in submissions for rule in rules} == set(jobs.graph(params.load(submitted.path / "params.yaml")).instances)
    assert ["filter", "measure", "minhash"] in submissions


def test_artifacts_are_those_of_one_machine_byte_for_byte(submitted: Clone, finished: Clone) -> None:
    ours, theirs = submitted.contents(), finished.contents()
    assert ours.keys() == theirs.keys()
    assert [name for name, content in ours.items() if content != theirs[name]] == []


def test_afterwards_there_is_nothing_to_do(submitted: Clone) -> None:
    assert submitted.nothing_to_do()

"""A Slurm cluster for all tests of this folder, and a directory to run things in for each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pretrain.phase_jobs import Data, make_data

from . import slurm
from .project import Project
from .slurm import Cluster


def running_cluster(root: Path, **shape: int) -> Iterator[Cluster]:
    """A new cluster, of two small nodes unless told otherwise; the test skips where Slurm is not installed, and fails so in CI."""
    if absent := slurm.missing():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no Slurm on this machine: {', '.join(absent)} missing")
    cluster = Cluster(root / "slurm", **shape)
    try:
        yield cluster.start()
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def whole_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    yield from running_cluster(tmp_path_factory.mktemp("c"))


@pytest.fixture
def cluster(whole_cluster: Cluster) -> Iterator[Cluster]:
    """Two idle nodes, left so again."""
    yield whole_cluster
    if "slurmctld" not in whole_cluster.processes:
        whole_cluster.start_controller()
    whole_cluster.clear()
    for name in whole_cluster.names:
        if name not in whole_cluster.processes:
            whole_cluster.revive_node(name)


@pytest.fixture
def project(cluster: Cluster, tmp_path: Path) -> Project:
    """A directory that submits to the cluster; call `write` to fill it."""
    return Project(tmp_path / "a project", cluster)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """Packed tokens for the tiny phase."""
    return make_data(tmp_path_factory.mktemp("data"))

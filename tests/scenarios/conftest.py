"""One cold run of the whole recipe, shared by the scenarios; each works on its own copy of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from . import workspace
from .workspace import Clone


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Clone:
    """A clone in which `snakemake all` has run once, in a path with a space in it, committed. Scenarios must not change it.

    One for all workers of pytest: the first makes it and the others wait.
    """
    own = tmp_path_factory.getbasetemp()
    folder = (own if worker_id == "master" else own.parent) / "finished"
    clone, made = Clone(folder / "a clone"), folder.with_suffix(".made")
    with FileLock(folder.with_suffix(".lock")):
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            workspace.create(clone.path)
            clone.snakemake("all")
            clone.git("add", "-A")
            clone.git("commit", "-q", "-m", "a finished run")
            made.touch()
    return clone


@pytest.fixture
def clone(finished: Clone, tmp_path: Path) -> Clone:
    """A copy of the finished clone to do things to."""
    copied = finished.copy(tmp_path / "clone")
    copied.executed()
    return copied


@pytest.fixture
def fresh_clone(tmp_path: Path) -> Callable[[Clone, str], Clone]:
    """`git clone` of a clone under a new name, with the locked environments but none of its artifacts."""

    def make(origin: Clone, name: str) -> Clone:
        made = Clone(tmp_path / name)
        origin.run("git", "clone", "-q", str(origin.path), str(made.path))
        (made.path / ".envs").symlink_to(workspace.ROOT / ".envs")
        return made

    return make

"""What every sequence of steps starts from: a finished toy project, and a fork server."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import project
from .commands import Commands
from .world import World


@dataclass(frozen=True)
class Ground:
    """A fork server and a world in which the toy recipe has run once, to be copied for every sequence."""

    commands: Commands
    finished: Path

    def world(self) -> World:
        """A world of its own."""
        root = Path(tempfile.mkdtemp(prefix="world-", dir=self.finished.parent))
        project.copy(self.finished, root)
        return World(root, self.commands)


def prepare(commands: Commands, folder: Path) -> Ground:
    """The world that every sequence starts from: a committed run."""
    clone = project.create(folder / "finished")
    for words, message in ((("snow", "check", "--fix"), "start"), (("snakemake", "all"), "a run")):
        done = commands.run(*words, cwd=clone)
        assert done.status == 0, done.output
        project.git(clone, "add", "-A")
        project.git(clone, "commit", "-q", "-m", message)
    return Ground(commands, folder / "finished")


def replay(ground: Ground, steps: Sequence[Sequence[Any]]) -> World:
    """Play a list of steps; an AssertionError where something does not hold."""
    world = ground.world()
    try:
        for step in steps:
            world.play(list(step))
    finally:
        shutil.rmtree(world.root, ignore_errors=True)
    return world

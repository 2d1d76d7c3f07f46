"""The steps of `world` as rules of a Hypothesis state machine, grouped by who would do them."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from . import oracle, project
from .commands import Commands
from .world import World

COLLECT = os.environ.get("SNOW_MODEL_COLLECT")  # a file to which failures are added, one JSON value a line; the sequences then go on


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


def _step(name: str, *arguments: Any) -> st.SearchStrategy[list[Any]]:
    return st.tuples(*arguments).map(lambda chosen: [name, *chosen])


NUMBER = st.integers(0, 999)
STAGE = st.sampled_from(oracle.STAGES)
FRONT = st.sampled_from(["snakemake", "snakemake", "dvc"])
DELAY = st.sampled_from([0.05, 0.3, 0.5, 0.7, 0.9, 1.2, 1.6, 2.2])
EDIT = [
    st.tuples(st.just("shape.width"), st.sampled_from([8, 12, 20, 30, 99])),
    st.tuples(st.just("shards"), st.sampled_from([1, 2, 3])),
    st.tuples(st.just("screen.lower"), st.booleans()),
    st.tuples(st.just("train.a.steps"), st.sampled_from([1, 2])),
    st.tuples(st.just("train.b.begin_from"), st.sampled_from(["a", "scratch"])),
    st.tuples(st.just("judge.strict"), st.booleans()),
    st.tuples(st.just("judge.processes"), st.sampled_from([1, 2])),
    st.tuples(st.just("report.title"), st.sampled_from(["toy", "play"])),
]
KEY = st.one_of(EDIT)
SUITE = st.one_of(
    _step("suite", st.just("three"), st.sampled_from([["zzz"], ["fox"], ["line", "lazy"], None])),
    _step("suite", st.just("two"), st.sampled_from([["gamma"], ["letters"], None])),
)
SOURCE = st.one_of(
    _step(
        "source", st.sampled_from(["new", "fox", "twin"]), st.sampled_from(["hello world", "one and the same line", "the quick fox", None])
    ),
    _step("source", st.sampled_from(["more", "dog"]), st.sampled_from(["Short", "a lazy dog", "gamma rays"])),
)
CODE = st.one_of(
    _step("mark", st.sampled_from([*oracle.STAGES, "END"]), st.sampled_from(["", "> ", "!!"])),
    _step("comment", STAGE, st.integers(0, 2)),
    _step("refactor", STAGE, st.integers(0, 2)),
)


class Machine(RuleBasedStateMachine):
    """One sequence; `ground` is set on a subclass. Hypothesis picks a rule at random, so what is to happen often is there twice."""

    ground: Ground

    def __init__(self) -> None:
        super().__init__()
        self.world: World | None = self.ground.world()
        self.root = self.world.root

    def teardown(self) -> None:
        """Remove the world."""
        shutil.rmtree(self.root, ignore_errors=True)

    def _play(self, step: list[Any]) -> None:
        if self.world is None:
            return  # what failed was noted down
        try:
            self.world.play(step)
        except Exception as error:
            if not COLLECT:
                print(json.dumps(self.world.steps), file=sys.stderr)  # to be kept in test_kept.py
                raise
            with open(COLLECT, "a") as stream:
                stream.write(json.dumps([self.world.steps, str(error)]) + "\n")
            self.world = None

    @rule(step=KEY.map(lambda pair: ["param", *pair]))
    def params(self, step: list[Any]) -> None:
        """An edit of params.yaml."""
        self._play(step)

    @rule(step=st.one_of(SUITE, SOURCE))
    def edits_of_data(self, step: list[Any]) -> None:
        """An edit of suites or sources."""
        self._play(step)

    @rule(step=CODE)
    def edits_of_code(self, step: list[Any]) -> None:
        """An edit of a stage's module."""
        self._play(step)

    @rule(step=st.sampled_from([["run"], ["run"], ["run"], ["repro"]]))
    def run_all(self, step: list[Any]) -> None:
        """A whole run."""
        self._play(step)

    @rule(
        step=st.one_of(
            st.just(["run"]),
            _step("target", NUMBER),
            _step("repro_target", NUMBER),
            st.tuples(st.just("file"), KEY).map(lambda told: ["overlay", told[0], *told[1]]),
            st.sampled_from([["overlay", "config", "shards", 1], ["overlay", "config", "shards", 3], ["refused"]]),
            st.tuples(FRONT, DELAY, KEY).map(lambda told: ["run_edit", told[0], told[1], *told[2]]),
            st.tuples(FRONT, DELAY, SOURCE).map(lambda told: ["run_source", told[0], told[1], *told[2][1:]]),
        )
    )
    def other_runs(self, step: list[Any]) -> None:
        """A run of a part, with other params, or with an edit while it is under way."""
        self._play(step)

    @rule(
        step=st.one_of(
            st.just(["commit"]),
            _step("checkout", st.integers(1, 2), st.booleans()),
            st.tuples(KEY, st.booleans(), st.sampled_from(["ours", "theirs"])).map(lambda told: ["merge", *told[0], *told[1:]]),
        )
    )
    def history(self, step: list[Any]) -> None:
        """git."""
        self._play(step)

    @rule(
        step=st.one_of(
            _step("clone", st.booleans(), st.sampled_from(["none", "pull", "run-cache", "missing"])),
            st.just(["switch"]),
            _step("push", st.booleans()),
            _step("pull", st.booleans()),
        )
    )
    def sharing(self, step: list[Any]) -> None:
        """Other clones and the remote."""
        self._play(step)

    @rule(
        step=st.one_of(
            _step("touch", NUMBER),
            _step("times", NUMBER),
            _step("delete", NUMBER),
            _step("delete_state", st.sampled_from([".snow", ".snakemake"])),
            _step("inplace", NUMBER),
            _step("damage", NUMBER),
            _step("kill", FRONT, DELAY),
        )
    )
    def accidents(self, step: list[Any]) -> None:
        """What happens to files, and to runs."""
        self._play(step)

    @rule(
        step=st.one_of(
            _step("cache_type", st.sampled_from(["copy", "hardlink", "symlink"])), st.sampled_from([["gc"], ["relink"], ["mend"]])
        )
    )
    def upkeep(self, step: list[Any]) -> None:
        """The cache."""
        self._play(step)

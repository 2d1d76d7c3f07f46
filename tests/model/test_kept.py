"""Sequences of steps that failed once, made short, and the plain ones that every change should be tried on first."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Timer
from typing import Any

import pytest

from snow.caching import reconcile

from . import checks, oracle
from .ground import Ground, replay
from .store import objects

KEPT: dict[str, Sequence[Sequence[Any]]] = {
    "there and back": [["param", "shape.width", 10], ["run"], ["param", "shape.width", 30], ["repro"]],
    "a suite comes and goes": [["suite", "three", ["zzz"]], ["run"], ["suite", "three", None], ["run"]],
    "a suite is taken out and nothing runs": [["suite", "two", None], ["target", 0], ["run"]],
    "what dvc.lock was left without is as it was": [
        ["checkout", 1, False],  # before the first run: there is no dvc.lock
        ["delete", 10],
        ["source", "new", "hello"],
        ["target", 44],  # suites: nothing to do, and all that depends on the rest cannot be committed
        ["source", "new", None],
        ["run"],
    ],
    "a suite more in an overlay": [["overlay", "file", ["suites.three", {"words": ["fox"]}]], ["run"]],
    "sources": [["source", "new", "hello"], ["run"], ["source", "new", None], ["repro"], ["run"]],
    "code": [["mark", "screen", "> "], ["repro"], ["comment", "shape", 1], ["run"], ["refactor", "merge", 1], ["run"]],
    "files lost and written over": [["delete", 5], ["run"], ["delete", 20], ["repro"], ["inplace", 7], ["run"], ["damage", 9], ["run"]],
    "fewer shards and an older commit": [["commit"], ["param", "shards", 1], ["run"], ["commit"], ["checkout", 1, True], ["run"]],
    "clones": [["push", True], ["clone", False, "run-cache"], ["run"], ["clone", True, "none"], ["run"], ["switch"], ["run"]],
    "overlays": [["overlay", "file", ["shape.width", 9]], ["overlay", "config", ["shards", 1]], ["refused"], ["run"]],
    "killed": [["param", "shape.width", 8], ["kill", "snakemake", 0.9], ["kill", "dvc", 0.9], ["run"]],
    "links": [["cache_type", "hardlink"], ["param", "shape.width", 8], ["times", 3], ["run"], ["relink"], ["gc"], ["times", 4], ["run"]],
    "gc beside what no lock names": [["cache_type", "symlink"], ["overlay", "config", ["shards", 1]], ["gc"], ["repro"]],
    "a merge that put one branch's outputs beside the other's params in dvc.lock": [
        ["merge", "models.a.steps", 2, True, "ours"],
        ["param", "judge.strict", True],
        ["run"],
        ["merge", "screen.lower", False, True, "theirs"],
        ["run"],
    ],
    "restored from damaged objects": [
        ["param", "shape.width", 8],
        ["run"],
        ["damage", 9],
        ["damage", 31],
        ["param", "shape.width", 30],
        ["run"],
    ],
    "edited receipts": [["inplace", 389], ["inplace", 252], ["run"]],
    "edits under way": [
        ["param", "shape.width", 8],
        ["run_edit", "snakemake", 0.7, "judge.strict", True],
        ["mark", "suite", "> "],
        ["run_edit", "dvc", 0.5, "screen.lower", False],
        ["run_source", "snakemake", 0.3, "new", "hello"],
        ["run"],
    ],
    "an arm comes and goes": [
        ["arm", "c", {"like": "b", "train_on": "c"}, {"like": "some", "every": 3}],
        ["run"],
        ["arm", "c", None, None],
        ["run"],
    ],
    "an arm by DVC": [
        ["arm", "c", {"like": "b", "train_on": "c"}, {"like": "some", "every": 3}],
        ["repro"],
        ["arm", "d", {"like": "a", "begin_from": "c"}, None],
        ["run"],
        ["arm", "d", None, None],
        ["repro"],
    ],
    "arms in overlays": [
        ["overlay", "file", ["models.c", {"like": "b", "train_on": "some", "seeds": [1, 2]}]],
        ["run"],
        ["overlay", "file", ["token_sets.c", {"every": 3}], ["models.c", {"like": "b", "train_on": "c"}]],
        ["run"],
    ],
    "what others are like": [
        ["param", "models.a.steps", 2],
        ["run"],
        ["param", "models.b.steps", None],
        ["run"],
        ["param", "models.a.seed", 1],
        ["repro"],
        ["param", "models.b.seeds", [0, 1]],
        ["run"],
        ["param", "models.b.seeds", None],
        ["run"],
    ],
    "readers of empty files": [["param", "shards", 3], ["run"], ["param", "token_sets.some.every", 3], ["run"]],
    "before the first run, from a recipe with a suite more": [
        ["suite", "three", ["line", "lazy"]],
        ["run"],
        ["checkout", 2, True],
        ["run"],
    ],
    "times of linked files": [["cache_type", "hardlink"], ["relink"], ["times", 5], ["delete", 44], ["run"]],
}


@pytest.mark.parametrize("steps", KEPT.values(), ids=KEPT.keys())
def test_kept(ground: Ground, steps: Sequence[Sequence[Any]]) -> None:
    replay(ground, steps)


def test_what_the_cache_loses_comes_back_from_the_workspace(ground: Ground) -> None:
    """Its files, its listings, and the listing of a folder that a run brings back as dvc.lock has it, so that there is nothing new to
    commit."""
    world = ground.world()
    world.do_run()  # nothing is new after it, to this place either
    verdicts = world.clone / "eval/b/two/verdicts.txt"
    listing = oracle.md5({"verdicts.txt": verdicts.read_bytes()})
    world.scribble(world.cache() / "files/md5" / listing[:2] / listing[2:], 47)
    world.play(["inplace", [*world.files()].index("eval/b/two/verdicts.txt")])
    world.play(["run"])
    for path in objects(world.cache()).values():
        path.unlink()
    world.play(["run"])


@pytest.mark.parametrize("front", [("snakemake", "all"), ("dvc", "repro")])
def test_no_front_door_leaves_a_damaged_listing(ground: Ground, front: tuple[str, ...]) -> None:
    """That of the last stage, which dvc.lock names only after the run."""
    world = ground.world()
    md5 = oracle.md5({"all.json": (world.clone / "receipts/report/all.json").read_bytes()})
    listing = world.cache() / "files/md5" / md5[:2] / md5[2:]
    sound = listing.read_bytes()
    world.play(["checkout", 1, True])  # before the first run: there is no dvc.lock
    world.scribble(listing, 47)
    world.run(*front)
    assert listing.read_bytes() == sound


def test_a_run_that_dvc_will_refuse_stops_no_stage(ground: Ground) -> None:
    """It has the directory's lock before it asks DVC."""
    world = ground.world()
    world.do_param("report.title", "play")
    beside = reconcile.hold_lock(reconcile.RUN, world.clone)
    assert beside is not None
    Timer(6, beside.close).start()
    world.run("dvc", "repro")


@pytest.mark.parametrize("ends", ["      hash: md5\n", "    outs:\n", "  eval-b:\n", "      md5: 1"])
def test_a_lock_that_a_killed_dvc_cut_off(ends: str, ground: Ground) -> None:
    """It claims less than all, or is refused; then what there is is current at once."""
    world = ground.world()
    lock = world.clone / "dvc.lock"
    text = lock.read_text()
    where = text.index(ends, text.index("  eval-b:\n")) + len(ends)
    lock.write_text(text[:where])
    world.mend_torn_results()
    checks.after_step(world)
    world.play(["run"])

"""Sequences of steps by a seed and a number: what people do, as often as the weights say.

Not Hypothesis' stateful testing: it makes most of its examples from parts of earlier ones, which with few and expensive examples left
ten whole runs in 150 steps. A failing list of plain steps is made short by `shorten`.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from .oracle import STAGES

Step = list[Any]

EDITS: dict[str, tuple[Any, ...]] = {
    "shape.width": (8, 12, 20, 30, 99),
    "shards": (1, 2, 3),
    "screen.lower": (True, False),
    "train.a.steps": (1, 2),
    "train.b.begin_from": ("a", "scratch"),
    "judge.strict": (True, False),
    "judge.processes": (1, 2),
    "report.title": ("toy", "play"),
}
SUITES = {"three": (["zzz"], ["fox"], ["line", "lazy"], None), "two": (["gamma"], ["letters"], None)}
SOURCES = {
    "new": ("hello", "one and the same line", None),
    "fox": ("the quick fox", "a slow fox", None),
    "twin": ("one and the same line", "Short", None),
    "more": ("gamma rays", "a lazy dog", None),
}
DELAYS = (0.05, 0.3, 0.5, 0.7, 0.9, 1.2, 1.6, 2.2)


def _of(table: dict[str, tuple[Any, ...]], chosen: Random) -> tuple[str, Any]:
    name = chosen.choice([*table])
    return name, chosen.choice(table[name])


def _front(chosen: Random) -> str:
    return chosen.choice(["snakemake", "snakemake", "dvc"])


def _overlay(chosen: Random) -> Step:
    return ["overlay", *chosen.choice([("config", "shards", chosen.choice([1, 3])), ("file", *_of(EDITS, chosen))])]


TABLE: dict[Callable[[Random], Step], float] = {
    # runs
    lambda _: ["run"]: 5,
    lambda _: ["repro"]: 1,
    lambda chosen: ["target", chosen.randrange(1000)]: 1,
    lambda chosen: ["repro_target", chosen.randrange(1000)]: 1,
    _overlay: 1.5,
    lambda _: ["refused"]: 0.3,
    lambda chosen: ["run_edit", _front(chosen), chosen.choice(DELAYS), *_of(EDITS, chosen)]: 1.5,
    lambda chosen: ["run_source", _front(chosen), chosen.choice(DELAYS), *_of(SOURCES, chosen)]: 0.7,
    lambda chosen: ["kill", _front(chosen), chosen.choice(DELAYS)]: 2,
    # edits
    lambda chosen: ["param", *_of(EDITS, chosen)]: 5,
    lambda chosen: ["suite", *_of(SUITES, chosen)]: 2,
    lambda chosen: ["source", *_of(SOURCES, chosen)]: 2,
    lambda chosen: ["mark", chosen.choice([*STAGES, "END"]), chosen.choice(["", "> ", "!!"])]: 2,
    lambda chosen: ["comment", chosen.choice(STAGES), chosen.randrange(3)]: 1,
    lambda chosen: ["refactor", chosen.choice(STAGES), chosen.randrange(3)]: 1,
    # git, other clones, the remote
    lambda _: ["commit"]: 1,
    lambda chosen: ["checkout", chosen.choice([1, 1, 2]), chosen.choice([True, False])]: 1.5,
    lambda chosen: ["merge", *_of(EDITS, chosen), chosen.choice([True, False]), chosen.choice(["ours", "theirs"])]: 1.5,
    lambda chosen: ["clone", chosen.choice([True, False]), chosen.choice(["none", "pull", "run-cache", "missing"])]: 2,
    lambda _: ["switch"]: 1,
    lambda chosen: ["push", chosen.choice([True, False])]: 1.5,
    lambda chosen: ["pull", chosen.choice([True, False])]: 1,
    # accidents
    lambda chosen: ["touch", chosen.randrange(1000)]: 0.5,
    lambda chosen: ["times", chosen.randrange(1000)]: 1,
    lambda chosen: ["delete", chosen.randrange(1000)]: 2,
    lambda chosen: ["delete_state", chosen.choice([".snow", ".snakemake"])]: 0.7,
    lambda chosen: ["inplace", chosen.randrange(1000)]: 1.2,
    lambda chosen: ["damage", chosen.randrange(1000)]: 1.2,
    # the cache
    lambda chosen: ["cache_type", chosen.choice(["copy", "hardlink", "symlink"])]: 1,
    lambda _: ["gc"]: 0.7,
    lambda _: ["relink"]: 0.7,
    lambda _: ["mend"]: 0.4,
}


def sequence(seed: int, number: int, length: int) -> list[Step]:
    """The sequence of that number from a seed; it ends with a whole run, after which everything must be right."""
    chosen = Random(f"{seed} {number}")
    return [step(chosen) for step in chosen.choices([*TABLE], [*TABLE.values()], k=length - 1)] + [["run"]]

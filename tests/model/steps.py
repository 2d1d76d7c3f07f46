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
    "suites.three": ({"words": ["fox"]}, {"words": ["line", "lazy"]}, None),
    "screen.lower": (True, False),
    "models.a.steps": (1, 2),  # which others are like, or count by
    "models.a.seed": (1, None),
    "models.b.begin_from": ("a", "scratch"),
    "models.b.train_on": ("some", {"all": 0.5, "some": 0.5}),
    "models.b.steps": ({"of": "models.a.steps", "times": 2}, {"of": "models.a.steps", "times": 3}, 2, None),
    "models.b.seeds": ([0, 1], [1, 2], None),
    "token_sets.some.every": (2, 3),
    "judge.strict": (True, False),
    "judge.processes": (1, 2),
    "report.title": ("toy", "play"),
}
ARMS: dict[str, tuple[tuple[Any, Any], ...]] = {  # a model, and a token set of its own
    "c": (
        ({"like": "b", "train_on": "c"}, {"like": "some", "every": 3}),
        ({"like": "b", "train_on": {"all": 0.5, "c": 0.5}}, {"every": {"of": "token_sets.some.every", "times": 2}}),
        (None, None),
    ),
    "d": (({"like": "a", "begin_from": "c"}, None), ({"like": "b", "steps": {"of": "models.b.steps", "times": 2}}, None), (None, None)),
}
SUITES = {"three": (["zzz"], ["fox"], ["line", "lazy"], None), "two": (["gamma"], ["letters"], None)}
SOURCES = {
    "new": ("hello", "one and the same line", None),
    "fox": ("the quick fox", "a slow fox", None),
    "twin": ("one and the same line", "Short", None),
    "more": ("gamma rays", "a lazy dog", None),
}
BESIDE = (  # commands beside a run
    "dvc checkout",
    "dvc pull",
    "dvc push --run-cache",
    "dvc repro",
    "snakemake all",
    "snakemake -n all",
    "snow gc --remove",
    "snow commit",
    "snow mend --run-cache --verify",
)
DELAYS = (0.05, 0.3, 0.5, 0.7, 0.9, 1.2, 1.6, 2.2)


def _of(table: dict[str, tuple[Any, ...]], chosen: Random) -> tuple[str, Any]:
    name = chosen.choice([*table])
    return name, chosen.choice(table[name])


def _front(chosen: Random) -> str:
    return chosen.choice(["snakemake", "snakemake", "dvc"])


def _edit(chosen: Random) -> list[Any]:
    """A dotted key and its value; an arm now and then."""
    if chosen.random() < 0.2:
        name, (model, _) = _of(ARMS, chosen)
        return [f"models.{name}", model and {**model, "train_on": "some"}]
    return [*_of(EDITS, chosen)]


def overlays(chosen: Random) -> list[list[Any]]:
    """What one or more overlays say, one dotted key and its value each."""
    name, (model, tokens) = _of(ARMS, chosen)
    arms = [[f"{section}.{name}", entry] for section, entry in (("models", model), ("token_sets", tokens)) if entry]
    edits = [[*_of(EDITS, chosen)], *arms]
    return chosen.choice([edits[:1], arms or edits, edits])


def _overlay(chosen: Random) -> Step:
    return ["overlay", *chosen.choice([["config", ["shards", chosen.choice([1, 3])]], *[["file", *overlays(chosen)] for _ in "ab"]])]


def _during(chosen: Random) -> Step:
    """Something else while a run is under way."""
    others: list[Step] = [
        *(["command", *chosen.choice(BESIDE).split()] for _ in "abc"),
        ["mark", chosen.choice([*STAGES, "END"]), chosen.choice(["", "> ", "!!"])],
        ["refactor", chosen.choice(STAGES), chosen.randrange(3)],
        ["inplace", chosen.randrange(1000)],
        ["delete", chosen.randrange(1000)],
        ["times", chosen.randrange(1000)],
    ]
    return ["during", _front(chosen), chosen.choice(DELAYS), *chosen.choice(others)]


def _arm(chosen: Random) -> Step:
    name, (model, tokens) = _of(ARMS, chosen)
    return ["arm", name, model, tokens]


TABLE: dict[Callable[[Random], Step], float] = {
    # runs
    lambda _: ["run"]: 5,
    lambda _: ["repro"]: 1,
    lambda chosen: ["target", chosen.randrange(1000)]: 1,
    lambda chosen: ["repro_target", chosen.randrange(1000)]: 1,
    _overlay: 1.5,
    lambda chosen: ["ask", *overlays(chosen)]: 1,
    lambda _: ["refused"]: 0.3,
    lambda chosen: ["run_edit", _front(chosen), chosen.choice(DELAYS), *_of(EDITS, chosen)]: 1.5,
    lambda chosen: ["run_source", _front(chosen), chosen.choice(DELAYS), *_of(SOURCES, chosen)]: 0.7,
    _during: 2,
    lambda chosen: ["kill", _front(chosen), chosen.choice(DELAYS)]: 2,
    # edits
    lambda chosen: ["param", *_of(EDITS, chosen)]: 5,
    _arm: 3,
    lambda chosen: ["suite", *_of(SUITES, chosen)]: 2,
    lambda chosen: ["source", *_of(SOURCES, chosen)]: 2,
    lambda chosen: ["mark", chosen.choice([*STAGES, "END"]), chosen.choice(["", "> ", "!!"])]: 2,
    lambda chosen: ["comment", chosen.choice(STAGES), chosen.randrange(3)]: 1,
    lambda chosen: ["refactor", chosen.choice(STAGES), chosen.randrange(3)]: 1,
    # git, other clones, the remote
    lambda _: ["commit"]: 1,
    lambda chosen: ["checkout", chosen.choice([1, 1, 2]), chosen.choice([True, False])]: 1.5,
    lambda chosen: ["merge", *_edit(chosen), chosen.choice([True, False]), chosen.choice(["ours", "theirs"])]: 1.5,
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
    lambda chosen: ["lose", chosen.randrange(1000)]: 0.5,
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

"""The toy recipe's knobs."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, model_validator

from snow.section import Fraction, Name, Positive, Section


class Shape(Section):
    width: Positive


class Screen(Section):
    lower: bool


class Suite(Section):
    words: tuple[str, ...] = Field(strict=False)


class TokenSet(Section):
    every: Positive  # of how many lines of each shard one is taken


class Model(Section):
    begin_from: Name  # `scratch` or a model
    train_on: Name | dict[Name, Fraction]  # a token set, or several with their shares
    steps: Positive
    seed: int = 0

    @property
    def shares(self) -> Mapping[str, float]:
        """The token sets trained on, with their shares."""
        return self.train_on if isinstance(self.train_on, dict) else {self.train_on: 1.0}


class Judge(Section):
    strict: bool
    processes: int  # says how fast, never what


class Report(Section):
    title: str


class Params(Section):
    """All of params.yaml."""

    shards: Positive
    sources: str
    shape: Shape
    screen: Screen
    suites: dict[Name, Suite]
    token_sets: dict[Name, TokenSet]
    models: dict[Name, Model]
    judge: Judge
    report: Report

    @model_validator(mode="after")
    def _consistent(self) -> Params:
        for name, model in self.models.items():
            if model.begin_from not in {"scratch", *self.models}:
                raise ValueError(f"models.{name}.begin_from: there is no {model.begin_from!r}")
            for used in model.shares:
                if used not in self.token_sets:
                    raise ValueError(f"models.{name}.train_on: there is no {used!r}")
        return self

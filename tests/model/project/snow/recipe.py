"""The toy recipe's knobs."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A part of params.yaml: immutable, no unknown keys, no silent conversion between types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Shape(Section):
    width: int = Field(gt=0)


class Screen(Section):
    lower: bool


class Suite(Section):
    words: tuple[str, ...] = Field(strict=False)


class Model(Section):
    steps: int = Field(gt=0)
    begin_from: Literal["scratch", "a"]


class Train(Section):
    a: Model
    b: Model


class Judge(Section):
    strict: bool
    processes: int  # says how fast, never what


class Report(Section):
    title: str


class Params(Section):
    """All of params.yaml."""

    shards: int = Field(gt=0)
    sources: str
    shape: Shape
    screen: Screen
    suites: dict[str, Suite]
    train: Train
    judge: Judge
    report: Report

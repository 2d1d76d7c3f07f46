"""The toy recipe's costs, in place of those of the recipe: a second of one core for each job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from snow.graph import Job
from snow.params import Params


@dataclass(frozen=True)
class Task:
    """A job's time."""

    seconds: float = 1.0
    gpus: int = 0
    spent: float = 1.0


@dataclass(frozen=True)
class Estimate:
    """Of every job the same."""

    known: Mapping[str, float] = field(default_factory=dict)

    def task(self, job: Job) -> Task:
        """What a job is expected to take."""
        return Task()


def here(params: Params, cores: int | None, gpus: int) -> Estimate:
    """For any machine."""
    return Estimate()

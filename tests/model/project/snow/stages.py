"""Every stage of the recipe in one table: where its code lives, where it runs, what may change its result, and its jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snow import jobs
from snow.errors import SnowError
from snow.graph import Graph, Job, Stage

if TYPE_CHECKING:
    from snow.params import Params


_STAGES = (
    Stage("gather", "snow.toy.gather", "base", jobs.gather, fingerprint="snow.toy.fingerprint"),
    Stage("shape", "snow.toy.shape", "base", jobs.shape),
    Stage("merge", "snow.toy.merge", "base", jobs.merge),
    Stage("suite", "snow.toy.suite", "base", jobs.suite),
    Stage("screen", "snow.toy.screen", "base", jobs.screen),
    Stage("pack", "snow.toy.pack", "base", jobs.pack),
    Stage("train", "snow.toy.train", "base", jobs.train),
    Stage("judge", "snow.toy.judge", "base", jobs.judge, unkeyed=("judge.processes",)),
)
_REPORT = Stage(
    "report", "snow.toy.report", "base", lambda params: iter([jobs.report(params, [job for one in _STAGES for job in one.jobs(params)])])
)
STAGES = {stage.name: stage for stage in (*_STAGES, _REPORT)}


def stage(name: str) -> Stage:
    """The stage of that name; an unknown one is an error that lists the known."""
    if name not in STAGES:
        raise SnowError(f"there is no stage {name!r}; the stages are {', '.join(STAGES)}")
    return STAGES[name]


def environment_of(job: Job) -> str:
    """The environment that a job runs in: its own, or else its stage's."""
    return job.env or stage(job.stage).env


def graph(params: Params) -> Graph:
    """Every job of the recipe with these params."""
    found = [job for one in _STAGES for job in one.jobs(params)]
    return Graph([*found, jobs.report(params, found)])

"""A graph of jobs with the files they read and write: what rules, dvc.yaml, `why`, `plan` and the report ask about the recipe."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from snow.errors import SnowError

if TYPE_CHECKING:
    from snow.params import Params


@dataclass(frozen=True)
class Job:
    """One job: inputs by name as its command line lists them, outputs by name without the receipt, the artifact (DVC stage and
    Snakemake target) it belongs to, and the dotted keys of the params it reads by the names its module has for them. `env` is the
    environment it needs where that is not its stage's; then all of that environment's lock can change its result."""

    stage: str
    instance: str
    artifact: str
    inputs: Mapping[str, tuple[str, ...]]
    outputs: Mapping[str, str]
    params: Mapping[str, str] = field(default_factory=dict)
    env: str | None = None

    @property
    def name(self) -> str:
        """`stage instance`, as it is typed."""
        return f"{self.stage} {self.instance}"

    @property
    def receipt(self) -> str:
        """Where the job's receipt lies."""
        return f"receipts/{self.stage}/{self.instance}.json"

    @property
    def files(self) -> list[str]:
        """Its outputs and its receipt."""
        return [*self.outputs.values(), self.receipt]


@dataclass(frozen=True)
class Stage:
    """One kind of job.

    `module` defines `run(job) -> dict` (the receipt's facts). `env` names the locked environment of `envs/` that executes it. `jobs`
    gives its jobs for a set of params, with the params keys of each; reading any other key raises. `packages` are the distributions
    whose version can change the output's bytes. `distributed` says that its body is run by many workers at once where a cluster or a
    machine with GPUs gives them. `unkeyed` are params, by the names the module has for them, that say where or how and never what, so
    they stay out of the job's key. `fingerprint` names the module whose `fingerprint(params, env)`, from the params of each instance,
    describes what jobs read outside the repository and the packages named here: the files, packages and hub names that their params
    name, by content. `check` names the module whose `check(params, instance, env)` raises SnowError, before the first job of a run, when
    what a job that reads no other reads there cannot be had.
    """

    name: str
    module: str
    env: str
    jobs: Callable[[Params], Iterator[Job]]
    packages: tuple[str, ...] = ()
    fingerprint: str | None = None
    unkeyed: tuple[str, ...] = ()
    distributed: bool = False
    check: str | None = None

    def job(self, params: Params, instance: str) -> Job:
        """Its job of that instance; SnowError when the params ask for none."""
        known = {job.instance: job for job in self.jobs(params)}
        if instance not in known:
            shown = ", ".join([*known][:6]) + (", ..." if len(known) > 6 else "")
            raise SnowError(f"{self.name} has no instance {instance!r} with these params; it has {shown or 'none'}")
        return known[instance]

    def unkeyed_of(self, job: Job) -> list[str]:
        """The dotted keys of a job's params that stay out of its key."""
        return [job.params[name] + dot + rest for name, dot, rest in (one.partition(".") for one in self.unkeyed)]


class Graph:
    """Jobs in topological order, and who made what: `upstream` names the jobs that made what a job reads, each once.

    Raises SnowError naming jobs that wait for each other.
    """

    def __init__(self, jobs: Iterable[Job]) -> None:
        given = list(jobs)
        self._made = {file: job for job in given for file in job.files}
        self._inside: dict[str, list[str]] = defaultdict(list)  # folder -> outputs and receipts below it
        for file in self._made:
            for folder in _parents(file):
                self._inside[folder].append(file)
        by_name = {job.name: job for job in given}
        self.upstream = {job.name: self._upstream_of(job) for job in given}
        try:
            order = tuple(TopologicalSorter(self.upstream).static_order())
        except CycleError as error:
            raise SnowError(f"these jobs wait for each other: {', '.join(error.args[1])}; correct params.yaml") from None
        self.jobs = tuple(by_name[name] for name in order)

    @cached_property
    def by_name(self) -> Mapping[str, Job]:
        """Every job by `stage instance`."""
        return {job.name: job for job in self.jobs}

    @cached_property
    def instances(self) -> Mapping[str, list[str]]:
        """Stage name to the instances it has jobs for."""
        found: dict[str, list[str]] = {}
        for job in self.jobs:
            found.setdefault(job.stage, []).append(job.instance)
        return found

    @cached_property
    def artifacts(self) -> Mapping[str, list[str]]:
        """The files of every artifact by the name of its DVC stage, which is also a Snakemake target; receipts included."""
        found: dict[str, list[str]] = {}
        for job in self.jobs:
            found.setdefault(job.artifact, []).extend(job.files)
        return found

    def sources_of(self, path: str) -> list[str]:
        """The outputs behind an input: the output that is this path or the folder around it, else every output inside it."""
        if path in self._made:
            return [path]
        around = next((folder for folder in _parents(path) if folder in self._made), None)
        return [around] if around is not None else self._inside.get(path, [])

    def job(self, stage: str, parts: Iterable[str]) -> Job:
        """The job of a stage whose instance has these parts; SnowError when there is none."""
        name = f"{stage} {'/'.join(parts) or 'all'}"
        if name not in self.by_name:
            raise SnowError(f"{name} is no job of the recipe with these params")
        return self.by_name[name]

    def maker(self, output: str) -> Job:
        """The job that makes an output."""
        return self._made[output]

    def _upstream_of(self, job: Job) -> list[str]:
        paths = (path for paths in job.inputs.values() for path in paths)
        return list(dict.fromkeys(self._made[output].name for path in paths for output in self.sources_of(path)))


def _parents(path: str) -> Iterator[str]:
    """The folders around a path, innermost first."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path

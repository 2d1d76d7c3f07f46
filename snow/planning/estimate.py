"""What the jobs of a look at the workspace will cost: of each stage processors, GPUs, disk, and the time of all on one machine."""

from __future__ import annotations

import heapq
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from snow.caching import costs, ledger
from snow.caching.ledger import Ledger, Verdict
from snow.graph import Job
from snow.params import Params
from snow.planning import units
from snow.planning.sizes import Sizes
from snow.planning.units import Gpu, Unit
from snow.planning.work import Work

HELD = ("current", "waiting")
USUAL_GPU = "h100"


@dataclass(frozen=True)
class Machine:
    """What a run has: cores, GPUs of a kind, and how slow a core is beside the table's."""

    cores: int
    gpus: int
    kind: str
    slowness: float

    @property
    def gpu(self) -> Gpu:
        """The kind of its GPUs."""
        return units.gpu(self.kind)


@dataclass(frozen=True)
class Line:
    """The jobs of one stage that a run would start: seconds of cores and of GPUs, seconds from the first to the last if they had the
    machine for themselves, bytes that they leave on disk. NaN for what is not known; `basis` says where the numbers come from."""

    stage: str
    jobs: int
    to_run: int
    waiting: int
    core_seconds: float
    gpu_seconds: float
    wall_seconds: float
    bytes: float
    basis: str


@dataclass(frozen=True)
class Task:
    """One job of a schedule: seconds, the cores and GPUs it has meanwhile, and the seconds of one GPU, or else of one core, it takes."""

    seconds: float
    cores: int
    gpus: int
    spent: float


def ratios(seen: Ledger, work: Work, gpu: Gpu) -> dict[str, float]:
    """By stage, what its jobs took of processors or GPUs when they ran in this clone over what the table expects of them; only of jobs
    whose results are those that the cost was of."""
    found = {}
    for stage in seen.graph.instances:
        spent = expected = 0.0
        for instance, cost in costs.read(stage).items():
            name = f"{stage} {instance}"
            receipt = seen.receipts.get(name)
            if receipt is None or receipt.key != cost.key or name not in seen.verdicts or seen.verdicts[name].state not in HELD:
                continue
            job = seen.graph.by_name[name]
            on_gpus = work.gpu_seconds(job, gpu)
            spent += cost.seconds * cost.workers if on_gpus is not None else taken(cost, work.table.unit(stage))
            expected += work.cores(job) if on_gpus is None else on_gpus
        if expected > 0:
            found[stage] = spent / expected
    return found


def here(params: Params, cores: int | None, gpus: int, kind: str = USUAL_GPU) -> Estimate:
    """An estimate over a look at the workspace, for a machine with so many cores (this one's without) and GPUs."""
    seen, table = ledger.look(params), units.table()
    work = Work(params, Sizes(params, seen, table), table)
    machine = Machine(cores or len(os.sched_getaffinity(0)), gpus, kind, units.slowness())
    return Estimate(seen, work, machine, ratios(seen, work, machine.gpu))


def taken(cost: costs.Cost, unit: Unit) -> float:
    """Seconds of one core that a job took, by the clock of its stage."""
    return cost.cpu_seconds if unit.clock == "cpu" else cost.seconds * unit.threads


@dataclass(frozen=True)
class Estimate:
    """A look at the workspace, the work of its jobs, the machine they run on, and by stage what is known from runs (`ratios`)."""

    seen: Ledger
    work: Work
    machine: Machine
    known: Mapping[str, float]

    def lines(self) -> tuple[list[Line], float]:
        """A line per stage that has jobs to do, and the seconds that all of them take."""
        tasks: dict[str, Task] = {}
        found = []
        for stage, instances in self.seen.graph.instances.items():
            verdicts = [self.seen.verdicts[f"{stage} {instance}"] for instance in instances]
            todo = [verdict for verdict in verdicts if verdict.state != "current"]
            if todo:
                here = {f"{stage} {verdict.instance}": self.task(self._job(verdict)) for verdict in todo}
                found.append(self._line(stage, len(instances), todo, list(here.values())))
                tasks |= here
        upstream = {name: [one for one in self.seen.graph.upstream[name] if one in tasks] for name in tasks}
        return found, makespan(tasks, upstream, self.machine)

    def _job(self, verdict: Verdict) -> Job:
        return self.seen.graph.by_name[f"{verdict.stage} {verdict.instance}"]

    def task(self, job: Job) -> Task:
        """What a job is expected to take; NaN where that is not known."""
        machine = self.machine
        on_gpus = self.work.gpu_seconds(job, machine.gpu)
        if on_gpus is not None:
            spent = on_gpus * self.known.get(job.stage, 1.0)
            gpus = machine.gpus if job.stage == "pretrain" else 1
            return Task(spent / gpus, 1, gpus, spent)
        unit = self.work.table.unit(job.stage)
        spent = self.work.cores(job) * self.known.get(job.stage, machine.slowness)
        threads = min(unit.threads, machine.cores)
        return Task(spent / min(unit.busy, threads), threads, 0, spent)

    def _line(self, stage: str, jobs: int, todo: list[Verdict], tasks: list[Task]) -> Line:
        cores, gpus = (sum(task.spent for task in tasks if bool(task.gpus) is on_gpus) for on_gpus in (False, True))
        at_once = sum(task.seconds * (task.gpus / self.machine.gpus if task.gpus else task.cores / self.machine.cores) for task in tasks)
        wall = at_once if math.isnan(at_once) else max(at_once, *(task.seconds for task in tasks))
        waiting = sum(verdict.state == "waiting" for verdict in todo)
        basis = self._basis(self._job(todo[0]), cores + gpus)
        return Line(stage, jobs, len(todo), waiting, cores, gpus, wall, sum(map(self._size, todo)), basis)

    def _basis(self, job: Job, spent: float) -> str:
        if math.isnan(spent):
            return "not known, see below"
        if job.stage in self.known:
            return "this clone's runs"
        if self.work.gpu_seconds(job, self.machine.gpu) is None:
            return "units.yaml"
        if job.stage != "pretrain":
            return "arithmetic, at best"
        return f"{self.work.share_of_peak(job.instance, self.machine.gpu):.0%} of the {self.machine.kind}'s peak"

    def _size(self, verdict: Verdict) -> float:
        """Bytes of a job's outputs: those that lie there, where they may be what it makes, else as many as are expected."""
        job = self._job(verdict)
        there = [self.seen.present[path] for path in job.outputs.values()]
        if verdict.state == "waiting" and None not in there:
            return float(sum(content.size for content in there if content is not None))
        return self.work.out_bytes(job)


def makespan(tasks: Mapping[str, Task], upstream: Mapping[str, Iterable[str]], machine: Machine) -> float:
    """Seconds from the first to the last of jobs that wait for others and share a machine; each starts as soon as it can, in order. NaN
    when the time of one is not known."""
    if any(math.isnan(task.seconds) for task in tasks.values()):
        return math.nan
    place = {name: number for number, name in enumerate(tasks)}
    missing = {name: set(upstream[name]) for name in tasks}
    readers: dict[str, list[str]] = {name: [] for name in tasks}
    for name, makers in missing.items():
        for maker in makers:
            readers[maker].append(name)
    ready = sorted(place[name] for name, makers in missing.items() if not makers)
    names, running = list(tasks), list[tuple[float, str]]()
    now, cores, gpus = 0.0, machine.cores, machine.gpus
    while ready or running:
        waiting = []
        for number in ready:
            task = tasks[names[number]]
            if task.cores <= cores and task.gpus <= gpus:
                cores, gpus = cores - task.cores, gpus - task.gpus
                heapq.heappush(running, (now + task.seconds, names[number]))
            else:
                waiting.append(number)
        now, done = heapq.heappop(running)
        cores, gpus = cores + tasks[done].cores, gpus + tasks[done].gpus
        for name in readers[done]:
            missing[name].discard(done)
            if not missing[name]:
                waiting.append(place[name])
        ready = sorted(waiting)
    return now

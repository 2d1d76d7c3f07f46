"""How long a run will still take: what is left of its jobs played through on its cores, at the pace seen so far."""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

STEADY = 20.0  # seconds of jobs as expected that stand against what was seen: the first job alone says little of the rest
START = 1.0  # seconds for a job's start, until jobs have told theirs


@dataclass(frozen=True)
class Expected:
    """A job of a run: its stage, the jobs of this run that it waits for, its threads, and the seconds it is expected to take, or None
    where nobody knows."""

    stage: str
    needs: tuple[str, ...]
    threads: int
    seconds: float | None


class Pace:
    """What the bodies of jobs that ended took against what was expected, and what each job took besides: its start, a queue.

    A body whose result came from the cache took nothing, and where such were many the rest is expected to be faster too.
    """

    def __init__(self) -> None:
        self._expected = self._taken = STEADY
        self._besides, self._jobs = START, 1
        self._unknown: dict[str, list[float]] = defaultdict(list)

    def saw(self, job: Expected, body: float, whole: float) -> None:
        """A job ended after `whole` seconds, `body` of them in its body."""
        self._besides += max(0.0, whole - body)
        self._jobs += 1
        if job.seconds is None:
            self._unknown[job.stage].append(body)
        else:
            self._expected += job.seconds
            self._taken += body

    def of(self, job: Expected) -> float | None:
        """Seconds that a job will take; None where neither it nor another of its stage is known."""
        seen = self._unknown.get(job.stage)
        if job.seconds is None and not seen:
            return None
        body = sum(seen) / len(seen) if seen else (job.seconds or 0.0) * self._taken / self._expected
        return body + self._besides / self._jobs


def seconds_left(
    jobs: Mapping[str, Expected], done: Collection[str], running: Mapping[str, float], pace: Pace, cores: int | None
) -> tuple[float, list[str]]:
    """Seconds until the last job ends, and the stages of which nothing is known, which count as nothing.

    `jobs` are in an order in which each comes after what it waits for; `running` holds the seconds that a running job will still take.
    A job begins as soon as what it waits for is made and its threads are free; with None for `cores` they always are.
    """
    open_needs = {name: sum(need not in done for need in job.needs) for name, job in jobs.items() if name not in done}
    readers: dict[str, list[str]] = defaultdict(list)
    for name in open_needs:
        for need in jobs[name].needs:
            readers[need].append(name)
    unknown = dict.fromkeys(jobs[name].stage for name in open_needs if name not in running and pace.of(jobs[name]) is None)

    def threads(name: str) -> int:
        return jobs[name].threads if cores is None else min(jobs[name].threads, cores)

    free = float("inf") if cores is None else cores - sum(map(threads, running))
    ready = deque(name for name, needs in open_needs.items() if not needs and name not in running)
    ends = [(seconds, name) for name, seconds in running.items()]
    heapq.heapify(ends)
    now = 0.0
    while ends or ready:
        for name in _fitting(ready, free, threads):
            free -= threads(name)
            heapq.heappush(ends, (now + (pace.of(jobs[name]) or 0.0), name))
        now, ended = heapq.heappop(ends)
        free += threads(ended)
        for reader in readers[ended]:
            open_needs[reader] -= 1
            if not open_needs[reader]:
                ready.append(reader)
    return now, list(unknown)


def _fitting(ready: deque[str], free: float, threads: Callable[[str], int]) -> Iterable[str]:
    """Jobs taken off the queue that fit side by side into what is free, in its order."""
    for _ in range(len(ready)):
        if free <= 0:
            return
        name = ready.popleft()
        if threads(name) <= free:
            free -= threads(name)
            yield name
        else:
            ready.append(name)


def words(left: float, unknown: Collection[str]) -> str:
    """What `seconds_left` found, as a person is told it."""
    if not left:
        return "time left unknown"
    return f"over {about(left)} left" if unknown else f"{about(left)} left"


def clock(seconds: float) -> str:
    """Time that has passed, `3:20` or `2:03:20`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def about(seconds: float) -> str:
    """Time to come, as exactly as it can be known: `40 s`, `6 min`, `5.5 h`, `3.2 days`."""
    if seconds < 90:
        return f"{max(10, round(seconds, -1)):.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"

"""File times made to say what contents say, so that Snakemake, which reruns a job when an input is newer than an output, decides as
`snow.caching.ledger` does.

After a clone, a pull, a checkout or a `dvc repro` times mean nothing. Where they contradict the verdicts, what is current gets the
present time, all of it the same, so that no input is newer than an output; what is not loses the time of its receipt, a file no
other job and no cached object shares, which makes it older than any input. No two looks set the same time: a hash remembered for
a file at one of ours (here, in another clone that shares the file by a hard link, or in DVC's state) is never believed of
contents that somebody wrote later. Facts F1-F6 of the design's caching notes are the reason.
"""

from __future__ import annotations

import contextlib
import math
import os
import random
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from snow.caching import hashes, spec
from snow.caching.ledger import Ledger
from snow.graph import Job

STALE_NS = 10**9  # stale receipts lie within the second after the first of the epoch: older than every input
LOGS = Path("logs")


def project(seen: Ledger) -> None:
    """Make file times agree with the verdicts. Nothing is touched where they do, so an idle run costs only a look at each file."""
    clock = _Clock(seen)
    clock.forget_the_future(file for file in seen.present if seen.present[file] is not None)
    clock.forget_the_future(str(path) for job in seen.graph.jobs if (path := spec.path_of(job)))
    shared_time_rose = True
    while shared_time_rose:  # a hard link gives two files one time: what rose for one of them may now be newer than a reader of the other
        rose = [_make_current(job, seen, clock) for job in seen.graph.jobs if _stands(seen, job)]
        shared_time_rose = any(rose)
    for job in seen.graph.jobs:
        if not _stands(seen, job):
            _make_stale(job, seen, clock)


def _stands(seen: Ledger, job: Job) -> bool:
    """Whether what a job made is what it would make now from what lies there, whatever others are about to make."""
    return seen.verdicts[job.name].state in ("current", "waiting")


def _outputs(job: Job) -> list[str]:
    """What Snakemake takes for a job's outputs when it looks for the oldest: its benchmark file is one of them."""
    return [*job.files, str(LOGS / job.stage / f"{job.instance}.tsv")]


def _newest_input(job: Job, seen: Ledger, clock: _Clock) -> float:
    """The time of the newest input that is there; a rule that reads one file of a folder lists the folder."""
    paths = [path for paths in job.inputs.values() for path in paths]
    read = dict.fromkeys(source for path in paths for source in (seen.graph.sources_of(path) or [path]))
    return max(clock.of_input(path) for path in (read or [str(spec.path_of(job))]))


def _make_current(job: Job, seen: Ledger, clock: _Clock) -> bool:
    """Returns whether a file rose that shares its time with another."""
    newest = _newest_input(job, seen, clock)
    late = [path for path in _outputs(job) if clock.of_output(path) < newest]
    return clock.set(late, clock.now)


def _make_stale(job: Job, seen: Ledger, clock: _Clock) -> None:
    outputs = [path for path in _outputs(job) if clock.of_output(path) is not math.inf]
    if not outputs or min(map(clock.of_output, outputs)) < _newest_input(job, seen, clock):
        return
    if job.receipt in outputs:
        clock.set([job.receipt], clock.stale())
        return
    for path in job.outputs.values():  # nobody vouches for them
        clock.make_own(path)
        clock.set([path], clock.stale())


class _Clock:
    """The modification times Snakemake compares, in ns, each looked up once: a folder's is that of the stamp it keeps inside, and
    a link counts with its own time as an output but with its target's too as an input."""

    def __init__(self, seen: Ledger) -> None:
        self.now = time.time_ns()
        self._present = seen.present
        self._times: dict[str, tuple[float, float, int]] = {}  # as an output, as an input, names of the file
        self._carriers: dict[str, str] = {}

    def of_output(self, path: str) -> float:
        """The time of a path as an output; later than any for a missing one."""
        return self._look(path)[0]

    def of_input(self, path: str) -> float:
        """The time of a path as an input; earlier than any for a missing one."""
        return self._look(path)[1]

    def stale(self) -> int:
        """A time older than every input, never given before."""
        return STALE_NS + random.SystemRandom().randrange(10**9)

    def set(self, paths: Iterable[str], nanoseconds: int) -> bool:
        """Give the paths that exist this time; returns whether one of them shares it with another name."""
        shared = False
        for path in paths:
            before, _, names = self._look(path)
            if before in (nanoseconds, math.inf):
                continue
            for target in dict.fromkeys((path, self._carrier(path))):
                os.utime(target, ns=(nanoseconds, nanoseconds), follow_symlinks=False)
            del self._times[path]
            if names > 1:
                shared = True
                self._times.clear()
            known = self._present.get(path)
            if known is not None and known.files is None:
                hashes.remember(Path(path), known.md5)  # the remembered hash was bound to the old time
        return shared

    def forget_the_future(self, paths: Iterable[str]) -> None:
        """A time after now (a disk with another clock, an archive) would make every reader's outputs older than what they read."""
        for path in paths:
            if self.of_input(path) <= self.now:
                continue
            self.set([path], self.now)
            if os.path.islink(path):
                with contextlib.suppress(PermissionError):  # a cached object of somebody else's
                    os.utime(path, ns=(self.now, self.now))
                self._times.pop(path, None)

    def make_own(self, path: str) -> None:
        """Give a file that shares its time with others a copy of its own, and a folder nothing: its stamp is its own."""
        file = Path(path)
        if not file.is_file() or file.is_symlink() or file.stat().st_nlink == 1:
            return
        staged = file.with_name(f".{file.name}.{os.getpid()}")
        shutil.copyfile(file, staged)
        os.replace(staged, file)
        self._times.pop(path, None)

    def _look(self, path: str) -> tuple[float, float, int]:
        if path not in self._times:
            carrier = self._carrier(path)
            try:
                own, behind = os.lstat(carrier), os.stat(carrier)
                names = own.st_nlink if os.path.isfile(carrier) else 1
                self._times[path] = (own.st_mtime_ns, max(own.st_mtime_ns, behind.st_mtime_ns), names)
            except FileNotFoundError:
                self._times[path] = (math.inf, -math.inf, 1)
        return self._times[path]

    def _carrier(self, path: str) -> str:
        if path not in self._carriers:
            stamp = f"{path}/.snakemake_timestamp"
            self._carriers[path] = stamp if os.path.exists(stamp) and not os.path.islink(path) else path
        return self._carriers[path]

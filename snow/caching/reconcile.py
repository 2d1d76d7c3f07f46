"""Before Snakemake builds its graph: file times made to say what the contents say.

Snakemake reruns a job when an input is newer than an output. After a clone, a pull, a checkout or a `dvc repro` the times
mean nothing, so for every job whose receipt still holds the outputs are made at least as new as the inputs, and for every
other job they are made older than anything. Only file times change. Facts F1-F6 of the design's caching notes are the reason.
"""

from __future__ import annotations

import fcntl
import math
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO

from snow import code, graph
from snow.caching import hashes, ledger, records, spec
from snow.caching.store import open_store
from snow.errors import SnowError
from snow.params import Params
from snow.stages import STAGES

STALE_NS = 10**9  # one second after the epoch: older than every input
LOCK = Path(".snow/lock")
LOGS = Path("logs")


def hold_lock() -> IO[str] | None:
    """The lock of this working directory, held until it is closed or the process ends, however it ends; None when another run holds it.

    It replaces Snakemake's own lock file, which outlives a killed process.
    """
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    handle = open(LOCK, "a+")  # noqa: SIM115 - held for the life of the process
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        return None
    return handle


def require_lock() -> IO[str]:
    """The lock, or a SnowError when another run works in this directory."""
    handle = hold_lock()
    if handle is None:
        raise SnowError("another snakemake is running in this directory; wait for it to end, or stop it and run the same command again")
    return handle


def write_specs(params: Params) -> None:
    """Bring `.snow/spec/` up to date for every stage and instance of the graph."""
    specs = ledger.Specs(params)
    for name, wanted in graph.instances(params).items():
        stage = STAGES[name]
        code.keep_table(stage.module)
        for path, instance in {spec.path_of(stage, instance): instance for instance in wanted}.items():
            spec.write(path, specs.of(stage, instance))


def project_times(params: Params) -> list[tuple[ledger.Entry, list[ledger.Cause]]]:
    """Make file times agree with contents; returns the jobs whose outputs are not current, with the causes."""
    specs = ledger.Specs(params)
    entries = ledger.read()
    present = ledger.workspace(entries)
    made = ledger.makers(entries)
    clock = _Clock(present)
    stale = []
    for entry in entries:
        found = ledger.causes(entry, specs.of(entry.stage, entry.instance), present)
        # Snakemake counts a job's benchmark file among its outputs when it looks for the oldest.
        outputs = [*(path for path, _ in entry.outputs), entry.receipt, LOGS / entry.stage.name / f"{entry.instance}.tsv"]
        if found:
            stale.append((entry, found))
            clock.set(outputs, STALE_NS)
            continue
        watched = {spec.path_of(entry.stage, entry.instance)}
        for path, _ in entry.inputs:  # a rule that reads one file of a folder lists the folder
            watched.update(ledger.sources_of(path, made) or [path])
        newest = max(clock.of_input(path) for path in watched)
        clock.set((path for path in outputs if clock.of_output(path) < newest), newest)
    return stale


def record_present() -> None:
    """Finished jobs whose outputs are here go into the cache, so that whatever is asked for again comes from there."""
    store = open_store()
    if store is not None:
        entries = ledger.read()
        records.adopt(store, entries, ledger.workspace(entries))


def remove_strays(params: Params) -> None:
    """Remove outputs and receipts of jobs the recipe no longer has, such as shards beyond `shards`: folders are artifacts whole.

    What they held is in the cache; going back brings it back.
    """
    wanted = {(stage, instance) for stage, instances in graph.instances(params).items() for instance in instances}
    for entry in ledger.read():
        if (entry.stage.name, entry.instance) not in wanted:
            for path in (*(output for output, _ in entry.outputs), entry.receipt):
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


class _Clock:
    """The modification times Snakemake compares, in ns, each looked up once: a folder's is that of the stamp it keeps inside, and
    a link counts with its own time as an output but with its target's too as an input."""

    def __init__(self, present: Mapping[Path, hashes.Content | None]) -> None:
        self._present = present
        self._carriers: dict[Path, str] = {}
        self._outputs: dict[Path, float] = {}
        self._inputs: dict[Path, float] = {}

    def of_output(self, path: Path) -> float:
        """The time of a path as an output; later than any for a missing one."""
        if path not in self._outputs:
            try:
                self._outputs[path] = os.lstat(self._carrier(path)).st_mtime_ns
            except FileNotFoundError:
                self._outputs[path] = math.inf
        return self._outputs[path]

    def of_input(self, path: Path) -> float:
        """The time of a path as an input. Raises FileNotFoundError."""
        if path not in self._inputs:
            carrier = self._carrier(path)
            self._inputs[path] = max(os.lstat(carrier).st_mtime_ns, os.stat(carrier).st_mtime_ns)
        return self._inputs[path]

    def set(self, paths: Iterable[Path], nanoseconds: float) -> None:
        """Give the paths that exist this time."""
        for path in paths:
            if self.of_output(path) in (nanoseconds, math.inf):
                continue
            self._inputs.pop(path, None)
            self._outputs[path] = nanoseconds
            for target in dict.fromkeys((str(path), self._carrier(path))):
                os.utime(target, ns=(int(nanoseconds), int(nanoseconds)), follow_symlinks=False)
            known = self._present.get(path)
            if known is not None and known.files is None:
                hashes.remember(path, known.md5)  # the remembered hash was bound to the old time

    def _carrier(self, path: Path) -> str:
        if path not in self._carriers:
            stamp = f"{path}/.snakemake_timestamp"
            self._carriers[path] = stamp if os.path.exists(stamp) and not path.is_symlink() else str(path)
        return self._carriers[path]

"""Before Snakemake builds its graph: file times made to say what the contents say.

Snakemake reruns a job when an input is newer than an output. After a clone, a pull, a checkout or a `dvc repro` the times
mean nothing, so for every job whose receipt still holds the outputs are made at least as new as the inputs, and for every
other job they are made older than anything. Only file times change. Facts F1-F6 of the design's caching notes are the reason.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path
from typing import IO

from snow import graph
from snow.caching import hashes, ledger, spec
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
        for path, instance in {spec.path_of(stage, instance): instance for instance in wanted}.items():
            spec.write(path, specs.of(stage, instance))


def project_times(params: Params) -> list[tuple[ledger.Entry, list[ledger.Cause]]]:
    """Make file times agree with contents; returns the jobs whose outputs are not current, with the causes."""
    specs = ledger.Specs(params)
    entries = ledger.read()
    present = ledger.workspace(entries)
    made = ledger.makers(entries)
    stale = []
    for entry in entries:
        found = ledger.causes(entry, specs.of(entry.stage, entry.instance), present)
        # Snakemake counts a job's benchmark file among its outputs when it looks for the oldest.
        benchmark = LOGS / entry.stage.name / f"{entry.instance}.tsv"
        outputs = [path for path in (*(path for path, _ in entry.outputs), entry.receipt, benchmark) if path.exists()]
        if found:
            stale.append((entry, found))
            for path in outputs:
                _set_time(path, STALE_NS, present.get(path))
            continue
        watched = {spec.path_of(entry.stage, entry.instance)}
        for path, _ in entry.inputs:  # a rule that reads one file of a folder lists the folder
            watched.update(ledger.sources_of(path, made) or [path])
        newest = max(_time(path, as_input=True) for path in watched)
        for path in outputs:
            if _time(path) < newest:
                _set_time(path, newest, present.get(path))
    return stale


def remove_strays(params: Params) -> None:
    """Remove outputs and receipts of jobs the recipe no longer has, such as shards beyond `shards`: folders are artifacts whole.

    What they held is in the cache; going back brings it back.
    """
    wanted = {(stage, instance) for stage, instances in graph.instances(params).items() for instance in instances}
    for entry in ledger.read():
        if (entry.stage.name, entry.instance) not in wanted:
            for path in (*(output for output, _ in entry.outputs), entry.receipt):
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _time(path: Path, as_input: bool = False) -> int:
    """The modification time Snakemake compares, in ns: a folder's is that of the stamp it keeps inside, and a link counts with
    its own time as an output but with its target's too as an input."""
    stamp = path / ".snakemake_timestamp"
    carrier = stamp if stamp.exists() and not path.is_symlink() else path
    own = carrier.lstat().st_mtime_ns
    return max(own, carrier.stat().st_mtime_ns) if as_input else own


def _set_time(path: Path, nanoseconds: int, known: hashes.Content | None) -> None:
    for target in (path, path / ".snakemake_timestamp"):
        if target.exists():
            os.utime(target, ns=(nanoseconds, nanoseconds), follow_symlinks=False)
    if known is not None and known.files is None:
        hashes.remember(path, known.md5)  # the remembered hash was bound to the old time

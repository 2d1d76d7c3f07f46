"""Around a run: one run at a time in a directory, the specs Snakemake watches, finished jobs put on record, leftovers removed."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import IO

from snow import source_code
from snow.caching import hashes, ledger, locked, records, spec
from snow.caching.ledger import Ledger
from snow.caching.store import open_store
from snow.errors import SnowError
from snow.stages import STAGES

LOCK = Path(".snow/lock")
LOOK, RUN = "look", "run"  # what the lock is held for
BUSY = "another snakemake is running in this directory; wait for it to end, or stop it and run the same command again"
HELD = "SNOW_HELD"  # set to its process by a run that has the lock, for what it starts on its own behalf


def hold_lock(purpose: str = LOOK, root: Path = Path(), patience: float = 0) -> IO[str] | None:
    """The lock of a working directory, held until it is closed or the process ends, however it ends; None while a run holds it and
    does not end within `patience` seconds.

    Whoever only looks on holds it for moments, so it is waited for. It replaces Snakemake's own lock file, which outlives a killed
    process.
    """
    path = root / LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = open(path, "a+")  # noqa: SIM115 - held for the life of the process
    seen_running, deadline = 0, time.monotonic() + patience
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            # A purpose read twice was not left by somebody before the present holder, who writes his first of all.
            seen_running = seen_running + 1 if path.read_text() == RUN else 0
            if seen_running >= 2 and time.monotonic() >= deadline:
                handle.close()
                return None
            time.sleep(0.1)
            continue
        handle.truncate(0)
        handle.write(purpose)
        handle.flush()
        return handle


def require_lock(patience: float = 0) -> IO[str] | None:
    """The lock for a run, None where the process that started this one has it for us, or a SnowError when another run works in this
    directory."""
    if os.environ.get(HELD) == str(os.getppid()):
        return None
    handle = hold_lock(RUN, patience=patience)
    if handle is None:
        raise SnowError(BUSY)
    return handle


def write_specs(seen: Ledger) -> None:
    """Bring `.snow/spec/` up to date for the jobs that have no other input, and remember what the code of every stage is made of."""
    for name in seen.graph.instances:
        source_code.keep_table(STAGES[name].module)
    for job in seen.graph.jobs:
        path = spec.path_of(job)
        if path is not None:
            spec.write(path, seen.specs.of(job))


def record_present() -> None:
    """Finished jobs go into the cache's records, so that whatever is asked for again comes from there: those whose outputs are here,
    and those dvc.lock names, whose outputs DVC may have deleted a moment ago to run their stage."""
    store = open_store()
    if store is not None:
        receipts = ledger.read()
        present = hashes.contents(Path(path) for receipt in receipts.values() for path in (*receipt.outputs, str(receipt.path)))
        locked.adopt(store, records.adopt(store, receipts.values(), present))

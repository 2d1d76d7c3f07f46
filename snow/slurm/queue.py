"""Slurm's queue as the submitting side sees it: jobs of this user that wait or run, cancelling, submitting."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from snow.errors import SnowError
from snow.slurm.progress import STATE

PATIENCE = 1800  # seconds a controller may be away before a submission is given up
_PAUSE = 5  # seconds between two attempts to reach it
_PAUSE_AT_LIMIT = 20  # ... to submit where the queue has room for no more
_TOLD = 600  # seconds until the user hears again that a submission waits
# What clients say when the controller is away or overloaded, and where a user, an account or the controller may have no more jobs in
# the queue for now; anything else is a refusal (observed with Slurm 22.05, but for "Unexpected message received" and the last of all).
_AWAY = (
    "Unable to contact slurm controller",
    "Socket timed out",
    "Connection refused",
    "Connection timed out",
    "Zero Bytes",
    "Unexpected message received",
)
_FULL = re.compile(r"\b(?:Assoc|QOS)\w*Submit\w*Limit\b|submission failed: Resource temporarily unavailable")
_OWN = re.compile(r"\b(?:AssocMaxSubmitJobLimit|QOSMaxSubmitJobPerUserLimit)\b")  # of a user's own jobs: without any it is 0
TOLD = STATE / "full"  # when the user heard last of a full queue; a run removes it when it begins


@dataclass(frozen=True)
class Live:
    """A job that waits or runs."""

    id: str
    state: str

    @property
    def ending(self) -> bool:
        """Whether it has been told to end, or is over and being cleared away."""
        return self.state == "COMPLETING"


class Refused(SnowError):
    """sbatch said no; the text is its reason."""


def live() -> dict[str, Live]:
    """This user's jobs that wait or run, by name. Waits for a controller that is away."""
    listed = _patiently(["squeue", "--me", "--noheader", "--format=%i %T %j"])
    rows = (line.split(maxsplit=2) for line in listed.splitlines())
    return {name: Live(number, state) for number, state, name in rows}


def cancel(number: str) -> None:
    """Ask Slurm to end a job; one that is over already is not an error."""
    subprocess.run(["scancel", number], capture_output=True, check=False, timeout=60)


def submit(arguments: Sequence[str], name: str) -> str:
    """Put a job into the queue under a name that no other job has; returns its id. Raises Refused.

    When the answer of a controller was lost, the job is looked for by its name before it is submitted again.
    """
    command = ["sbatch", "--parsable", f"--job-name={name}", *arguments]
    return _patiently(command, lambda: live().get(name)).split(";")[0].strip()


def _patiently(command: Sequence[str], arrived: Callable[[], Live | None] | None = None) -> str:
    """The output of a client command, repeated while the controller is away and until the job of a lost answer is found; of one that
    submits also for as long as the queue has no room, which ends when jobs do."""
    away: float | None = None  # since when
    alone = False  # whether none of this user's jobs was in the queue when it had no room
    while True:
        done = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=False)
        said = done.stderr.strip()
        if done.returncode == 0:
            return done.stdout
        full = _FULL.search(said) if arrived else None
        if full and not (alone and _OWN.search(said)):
            _tell_once(f"{command[0]}: no more jobs may be in the queue ({full[0]}); waiting for some to end")
            alone, away = not live(), None
            time.sleep(_PAUSE_AT_LIMIT)
            continue
        away = time.monotonic() if away is None else away
        if not any(sign in said for sign in _AWAY) or time.monotonic() > away + PATIENCE:
            raise Refused(said or f"{command[0]} exited {done.returncode}")
        print(f"{command[0]}: the controller does not answer; trying again", file=sys.stderr)
        time.sleep(_PAUSE)
        if arrived and (found := arrived()):
            return found.id


def _tell_once(sentence: str) -> None:
    """To the user, unless one of the last `_TOLD` seconds' submissions of this run did."""
    STATE.mkdir(parents=True, exist_ok=True)
    if not TOLD.exists() or time.time() > TOLD.stat().st_mtime + _TOLD:
        print(sentence, file=sys.stderr)
        TOLD.touch()


def _environment() -> dict[str, str]:
    """This one, without what Slurm told the job that Snakemake itself may run in: it would become part of the request."""
    if "SLURM_JOB_ID" not in os.environ:
        return dict(os.environ)
    kept = ("SLURM_CONF", "SLURM_CLUSTERS", "SLURM_JWT")
    return {name: value for name, value in os.environ.items() if not name.startswith("SLURM_") or name in kept}

"""The last thing a user sees of a run that failed: each failed job with its log's path and last lines."""

from __future__ import annotations

import atexit
import sys
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from snow import snakemake_run
from snow.slurm import names

JOBS = 5  # shown in full
LINES = 15  # of each log


def say_last(workflow: Any) -> None:
    """Print what `describe` says of Snakemake's failed jobs when this process ends, after Snakemake's own closing lines."""
    failed = snakemake_run.failed_jobs(workflow)
    if failed:
        atexit.register(print, describe(failed), file=sys.stderr)


def describe(failed: Collection[Any]) -> str:
    """One paragraph per failed job, at most `JOBS`. A group of jobs that ran as one is described by the job that broke off."""
    shown = [_paragraph(job) for job in list(failed)[:JOBS]]
    more = len(failed) - len(shown)
    return "\n".join(["", *([f"{more} more jobs failed; their logs are under logs/"] if more else []), *shown])


def _paragraph(job: Any) -> str:
    members = list(job) if job.is_group() else [job]
    broke_off = max(members, key=lambda member: max(map(_time, member.log), default=0))
    targets = [f"{member.rule.name}:{_wildcards(member, ',')}" for member in members]
    own = next((Path(path) for path in broke_off.log if _time(path)), None)
    slurm = names.newest_log(targets)
    if own and slurm and _time(str(slurm)) < _time(str(own)):
        slurm = None  # of an earlier run; this one was local
    name = " ".join(filter(None, (broke_off.rule.name, _wildcards(broke_off, " "))))
    log = slurm if own is None or not own.stat().st_size else own
    ended = _ended_by_slurm(slurm) if slurm and log is not slurm else []
    if log is None:
        return f"{name} failed and left no log"
    return "\n".join([f"{name} failed", *(f"  {line}" for line in ended), f"  log: {log}", *(f"    {line}" for line in _tail(log))])


def _wildcards(job: Any, separator: str) -> str:
    return separator.join(f"{name}={value}" for name, value in job.wildcards_dict.items())


def _ended_by_slurm(log: Path) -> Iterable[str]:
    """Slurm's own words on why it ended the job: cancelled, out of time, out of memory, refused."""
    lines = log.read_text(errors="replace").splitlines()
    return [line for line in lines if line.startswith(("slurmstepd: error:", "sbatch: error:", "srun: error:"))][-2:]


def _tail(log: Path) -> list[str]:
    """The last lines; of a progress bar, which writes over itself, only what it showed in the end."""
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in log.read_text(errors="replace").rstrip().split("\n"))
    return list(lines)[-LINES:]


def _time(path: str) -> int:
    """When a log was written last, 0 when it is not there."""
    return Path(path).stat().st_mtime_ns if Path(path).exists() else 0

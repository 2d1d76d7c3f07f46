"""`python -m snow.slurm.submit JOBSCRIPT`: one job into Slurm's queue, its id on stdout; the profile's submit command.

A job that an earlier Snakemake submitted and that still waits or runs is taken over instead of submitted again, if it makes
the same files from the same inputs; if it would make them from others it is cancelled, and the new one waits for its end.
Records of submissions lie in `.snow/slurm/`, named as the jobs are in the queue.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from snow import digest
from snow.errors import SnowError
from snow.slurm import jobscript, names, queue, site
from snow.slurm.progress import STATE


@dataclass(frozen=True)
class Record:
    """A submission: which Snakemake process watches it, its jobs, and its inputs as they were (time in ns, size in bytes)."""

    run: str
    targets: list[str]
    inputs: dict[str, list[int]]

    def serves(self, other: Record) -> bool:
        """Whether this submission, still under way, makes what `other` asks for."""
        common = self.inputs.keys() & other.inputs.keys()
        return set(other.targets) <= set(self.targets) and all(self.inputs[path] == other.inputs[path] for path in common)


def submit(script: Path) -> str:
    """The id of a job that does what the script asks for. Raises SnowError when the site file or Slurm refuses it."""
    request = jobscript.read(script)
    settings = site.load(Path(request.resources.get("site", site.FILE)))
    asked = Record(request.run, list(request.targets), _stamps(request.inputs))
    STATE.mkdir(parents=True, exist_ok=True)
    running = _under_way(request.run)
    for name, (record, job) in running.items():
        if record.serves(asked) and not job.ending:
            _write(name, Record(request.run, record.targets, record.inputs))
            print(f"{' '.join(names.title(asked.targets))} is under way as job {job.id}", file=sys.stderr)
            return job.id
    outdated = [job.id for record, job in running.values() if set(record.targets) & set(asked.targets)]
    for number in outdated:
        queue.cancel(number)
    name = "-".join((".".join(names.title(asked.targets))[:60], os.urandom(4).hex()))
    _write(name, asked)
    after = [f"--dependency=afterany:{':'.join(outdated)}"] if outdated else []
    try:
        return queue.submit([*options(request, settings), *after, str(script)], name)
    except queue.Refused as error:
        _path(name).unlink()
        Path(names.log_pattern(asked.targets).replace("%j", "refused")).write_text(f"{error}\n")
        raise SnowError(f"{' '.join(names.title(asked.targets))} was refused: {error}") from None


def options(request: jobscript.Request, settings: site.Site) -> list[str]:
    """sbatch's options: the rule's resources as they are written, and the site's."""
    wanted = request.resources
    gpu = int(wanted.get("gpu", 0))
    nodes = int(wanted.get("nodes", 1)) if len(request.targets) == 1 else 1  # Snakemake adds up a group's, which stays on one node
    tasks = int(wanted.get("tasks", 1)) if len(request.targets) == 1 else 1
    log = Path(names.log_pattern(request.targets))
    log.parent.mkdir(parents=True, exist_ok=True)
    given = {
        "partition": wanted.get("partition") or (settings.gpu_partition if gpu else settings.partition),
        "account": settings.account,
        "constraint": settings.constraint,
        "nodes": nodes,
        "ntasks": max(nodes, tasks),
        "cpus-per-task": wanted.get("cpus_per_task", request.threads),
        "mem": _at_most(wanted.get("mem_mb"), settings.max_memory_mb),  # in MB, as sbatch counts
        "time": _at_most(wanted.get("runtime"), settings.max_minutes),  # in minutes
        "gres": ":".join(["gpu", *([settings.gpu_type] if settings.gpu_type != site.UNTYPED else []), str(gpu)]) if gpu else "",
        "output": log,
        "open-mode": "append",  # a job that Slurm starts again keeps what it said before
    }
    return ["--requeue", *(f"--{name}={value}" for name, value in given.items() if value != ""), *settings.sbatch]


def _at_most(amount: int | None, limit: int | None) -> int | str:
    """A request under the site's limit; nothing where the rule asks for none."""
    return "" if not amount else int(amount) if limit is None else min(int(amount), limit)


def _under_way(run: str) -> dict[str, tuple[Record, queue.Live]]:
    """Submissions of other Snakemake processes that still wait or run, by name. What is left of those that ended is removed.

    Slurm is asked only if such submissions are on record, so a run costs one query and not one per job.
    """
    records = {path.stem: Record(**json.loads(path.read_text())) for path in STATE.glob("*.json")}
    others = {name: record for name, record in records.items() if record.run != run}
    first = len(others) == len(records)  # submission of this run
    if first:
        queue.TOLD.unlink(missing_ok=True)
    if not others:
        return {}
    waiting = queue.live()
    for name in others.keys() - waiting.keys():
        _path(name).unlink(missing_ok=True)
    if first:  # no marker is of a job it watches
        numbers = {job.id for job in waiting.values()}
        for marker in (path for suffix in ("exit", "gone", "moved", "stopped") for path in STATE.glob(f"*.{suffix}")):
            if marker.stem not in numbers:
                marker.unlink(missing_ok=True)
    return {name: (record, waiting[name]) for name, record in others.items() if name in waiting}


def _stamps(inputs: Iterable[str]) -> dict[str, list[int]]:
    """Time and size of every input that exists."""
    found = {path: os.stat(path) for path in inputs if os.path.exists(path)}
    return {path: [status.st_mtime_ns, status.st_size] for path, status in found.items()}


def _path(name: str) -> Path:
    return STATE / f"{name}.json"


def _write(name: str, record: Record) -> None:
    """A record is on disk before its job is in the queue: a kill between the two leaves a record without a job, never the reverse."""
    digest.replace(_path(name), json.dumps(asdict(record)))


def main(arguments: list[str]) -> int:
    """The id of the job on stdout and 0, or one sentence on stderr and 2."""
    try:
        print(submit(Path(arguments[-1])))
    except SnowError as error:
        print(f"slurm: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""What executing each job cost in this clone: `logs/STAGE/INSTANCE.cost.json`. Times are no part of any artifact."""

from __future__ import annotations

import json
import os
import resource
from dataclasses import asdict, dataclass
from pathlib import Path

LOGS = Path("logs")
SUFFIX = ".cost.json"


@dataclass(frozen=True)
class Cost:
    """What a job took: wall seconds of its body, processor seconds of its process and all that it started and waited for, peak memory
    of the process in MB, the processes that did the work, and the job's key, which tells of which result this was the cost."""

    seconds: float
    cpu_seconds: float
    peak_mb: int
    workers: int
    key: str


def record(stage: str, instance: str, key: str, seconds: float) -> None:
    """Keep what this process has spent on a job whose body took so many seconds."""
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    spent = sum(each.ru_utime + each.ru_stime for each in used)
    peak_mb = round(used[0].ru_maxrss / 1024)  # Linux counts in KiB
    cost = Cost(round(seconds, 2), round(spent, 2), peak_mb, int(os.environ.get("WORLD_SIZE", "1")), key)
    path = path_of(stage, instance)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(cost)) + "\n")


def read(stage: str) -> dict[str, Cost]:
    """By instance, what every job of a stage took that was executed here; costs of an earlier format are left out."""
    folder = LOGS / stage
    found = {}
    for path in folder.rglob(f"*{SUFFIX}"):
        told = json.loads(path.read_text())
        if told.keys() >= set(Cost.__annotations__):
            found[path.relative_to(folder).as_posix().removesuffix(SUFFIX)] = Cost(**{name: told[name] for name in Cost.__annotations__})
    return found


def seconds_of(stage: str, instance: str) -> float:
    """Wall seconds of a job that was executed here."""
    return float(json.loads(path_of(stage, instance).read_text())["seconds"])


def path_of(stage: str, instance: str) -> Path:
    """Where the cost of a job is; written when its body has been executed, left alone when it was restored."""
    return LOGS / stage / f"{instance}{SUFFIX}"

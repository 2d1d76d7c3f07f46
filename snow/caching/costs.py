"""What executing each job cost in this clone: `logs/STAGE/INSTANCE.cost.json`. Times are no part of any artifact."""

from __future__ import annotations

import json
from pathlib import Path

LOGS = Path("logs")
SUFFIX = ".cost.json"


def record(stage: str, instance: str, seconds: float, peak_mb: float) -> None:
    """Keep the wall time and peak memory of a job's body."""
    path = path_of(stage, instance)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"seconds": round(seconds, 2), "peak_mb": round(peak_mb)}) + "\n")


def seconds(stage: str) -> dict[str, float]:
    """Wall seconds by instance, of every job of a stage that was executed here."""
    folder = LOGS / stage
    found = {path.relative_to(folder).as_posix().removesuffix(SUFFIX): path for path in folder.rglob(f"*{SUFFIX}")}
    return {instance: _seconds(path) for instance, path in found.items()}


def seconds_of(stage: str, instance: str) -> float:
    """Wall seconds of a job that was executed here."""
    return _seconds(path_of(stage, instance))


def _seconds(path: Path) -> float:
    return float(json.loads(path.read_text())["seconds"])


def path_of(stage: str, instance: str) -> Path:
    """Where the cost of a job is; written when its body has been executed, left alone when it was restored."""
    return LOGS / stage / f"{instance}{SUFFIX}"

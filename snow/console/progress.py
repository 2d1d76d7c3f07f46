"""How far a running job is, from the last line of its log: each tells it there, alike on this machine and on a node of a cluster.

Training writes lines of its own (`snow/pretrain/telemetry.py`); all other stages show a bar of tqdm's where they may be long.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

LOGS = Path("logs")
END = 4096  # bytes of a log that are looked at
_BAR = re.compile(
    r"(?:\d+%\|[^|]*\| *)?(?P<done>[\d.]+)(?:/(?P<total>[\d.]+)|(?P<unit>[a-z]+)) "
    r"\[(?P<for>[\d:]+)(?:<(?P<left>[\d:]+))?[^\]]*\]?$"
)
_STEP = re.compile(r"(?P<text>step (?P<done>\d+)/(?P<total>\d+), .*?)(?:, ETA (?P<left>[\d:]+))?$")
_UNIT = re.compile(r"([a-z]+)/s\b|s/([a-z]+)")


@dataclass(frozen=True)
class Progress:
    """What a job says of itself, and the seconds it will still take, or None where it cannot know."""

    text: str
    left: float | None


def log_of(job: str) -> Path:
    """The log of a job, `stage instance`."""
    return LOGS / f"{job.replace(' ', '/', 1)}.log"


def of(job: str) -> Progress | None:
    """What the log of a running job says last of how far it is; None where it says nothing."""
    try:
        with log_of(job).open("rb") as log:
            log.seek(max(0, log.seek(0, 2) - END))
            lines = re.split(r"[\r\n]+", log.read().decode(errors="replace"))
    except OSError:
        return None
    return next((found for found in map(_read, reversed(lines)) if found), None)


def _read(line: str) -> Progress | None:
    line = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line).strip()
    if step := _STEP.search(line):
        return Progress(step["text"], _seconds(step["left"]))
    bar = _BAR.search(line)
    if bar is None:
        return None
    unit = bar["unit"] or next((name or other for name, other in reversed(_UNIT.findall(line))), "")
    counted = f"{bar['done']} of {bar['total']}" if bar["total"] else bar["done"]
    return Progress(f"{counted} {unit}s" if unit not in ("", "it") else counted, _seconds(bar["left"]))


def _seconds(text: str | None) -> float | None:
    """`1:02:03` in seconds."""
    if not text:
        return None
    total = 0
    for part in text.split(":"):
        total = total * 60 + int(part or 0)
    return float(total)

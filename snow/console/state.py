"""What a run tells `snow watch`, another process: `.snow/run.json`, written anew every few seconds while jobs run, removed at its end."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from snow import digest

PATH = Path(".snow/run.json")
SILENT = 60  # seconds without a word after which a run on another machine is taken to have ended


@dataclass(frozen=True)
class State:
    """A run at a moment: by stage how many of its jobs are done, of how many; each running job with when it began, or None while it
    waits in a queue; the seconds left, and the stages of which nothing is known. Times are seconds since 1970."""

    process: int
    host: str
    began: float
    written: float
    stages: Mapping[str, tuple[int, int]]
    running: Mapping[str, float | None]
    left: float
    unknown: tuple[str, ...]

    @property
    def alive(self) -> bool:
        """Whether the run still goes on, as far as can be told from here."""
        if self.host != socket.gethostname():
            return time.time() - self.written < SILENT
        try:
            os.kill(self.process, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass  # somebody else's
        return True


def write(state: State) -> None:
    """Put a state where `read` finds it."""
    digest.replace(PATH, json.dumps(asdict(state)))


def read() -> State | None:
    """What the present run told last, or the last one if it was killed; None where there is none."""
    try:
        told = json.loads(PATH.read_bytes())
    except FileNotFoundError:
        return None
    return State(**told | {"stages": {stage: tuple(counts) for stage, counts in told["stages"].items()}, "unknown": tuple(told["unknown"])})

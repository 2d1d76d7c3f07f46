"""What a job that can be continued tells the submitting side: that this attempt of it came forward."""

from __future__ import annotations

import os
from pathlib import Path

STATE = Path(".snow/slurm")  # of the submitting side, which knows jobs by Slurm's numbers


def moved(stopped: bool = False) -> None:
    """Say that another attempt has less to do than this one had; `stopped`: and that this one ends now, as it was asked to.

    Outside a job of the profile nobody is told.
    """
    number = os.environ.get("SLURM_JOB_ID")
    if number and STATE.is_dir():
        (STATE / f"{number}.{'stopped' if stopped else 'moved'}").touch()

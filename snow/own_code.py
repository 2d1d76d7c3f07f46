"""Whose code runs: the clone's in the working directory, whichever clone the environment was installed from.

A job's key holds the digest of the code that was imported. An environment imports the clone it was installed from, so with
another clone's environment active, or in a copy of a folder with its `.envs`, an edit would be neither keyed nor run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from snow.errors import SnowError

ROOT = Path(os.path.abspath(__file__)).parents[1]  # the clone that was imported
AGAIN = "SNOW_STARTED_AGAIN"  # set for a command that was started over with its own clone's code in front


def settle(arguments: Sequence[str]) -> None:
    """Before anything else of `snow ARGUMENTS`: return when the code of the clone in the working directory is the one imported, or
    when it is no clone; else start the command over with that code. Every process started from here imports the same.

    Raises SnowError when that does not help either.
    """
    again = os.environ.pop(AGAIN, None)
    here = Path.cwd()
    if _is_other_clone(here) and again is None:
        _put_in_front(here)
        sys.stdout.flush()
        sys.stderr.flush()
        os.execve(sys.executable, [sys.executable, "-m", "snow", *arguments], os.environ | {AGAIN: "1"})
    require()


def require() -> None:
    """SnowError when the working directory is a clone and the code imported is another's; else every process started from here
    imports the same code."""
    here = Path.cwd()
    if _is_other_clone(here):
        raise SnowError(
            f"the working directory is the clone {here}, but the code that runs is that of {ROOT}; run `make envs` in {here} and use "
            "its own .envs/base, or work in the other"
        )
    _put_in_front(ROOT)


def _is_other_clone(folder: Path) -> bool:
    package = folder / "snow"
    return (folder / "Snakefile").is_file() and (package / "__init__.py").is_file() and not package.samefile(ROOT / "snow")


def _put_in_front(root: Path) -> None:
    others = [place for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place not in ("", str(root))]
    os.environ["PYTHONPATH"] = os.pathsep.join([str(root), *others])

"""The locked environments beside each other under `.envs/`, and how a job moves into the one its stage needs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from snow import own_code
from snow.errors import SnowError

USUAL = ("base", "torch", "eval")  # what `make envs` installs


def root() -> Path | None:
    """The `.envs` folder this interpreter lives in, or None when snow runs from an environment of the user's own."""
    prefix = Path(sys.prefix)
    return prefix.parent if prefix.parent.name == ".envs" else None


def python_of(env: str) -> Path | None:
    """The interpreter of a locked environment, or None when snow runs outside `.envs` (then everything runs in place)."""
    folder = root()
    if folder is None:
        return None
    require([env])
    return folder / env / "bin" / "python"


def installed(env: str) -> bool:
    """Whether a locked environment is there; always where snow runs outside `.envs`, in one of the user's own."""
    folder = root()
    return folder is None or (folder / env / "bin" / "python").exists()


def require(names: Iterable[str]) -> None:
    """SnowError that says how to install those of the locked environments that are not there; nothing where snow runs outside `.envs`."""
    folder = root()
    missing = [name for name in names if not installed(name)]
    if missing:
        targets = dict.fromkeys("envs" if name in USUAL else f".envs/{name}/.done" for name in missing)
        raise SnowError(f"no environment {' and no '.join(missing)} in {folder}; run `make {' '.join(targets)}`")


def site_packages(env: str) -> list[str] | None:
    """Where the packages of a locked environment lie; None when snow runs outside `.envs`. SnowError when it is not installed."""
    python = python_of(env)
    return [str(path) for path in python.parent.parent.glob("lib/python*/site-packages")] if python else None


def enter(env: str, arguments: list[str]) -> None:
    """Replace this process by the same `snow` command, with the same code, in environment `env`; returns when it already is the
    right one.

    An activated conda environment (`snakemake --software-deployment-method conda`) takes the place of the one under `.envs/`.
    """
    conda = os.environ.get("CONDA_PREFIX")
    if conda and Path(conda).parent.name == "conda" and Path(conda).parent.parent.name == ".snakemake":
        python: Path | None = Path(conda) / "bin" / "python"
    else:
        python = python_of(env)
    if python is None or Path(sys.prefix) == python.parent.parent:
        return
    own_code.require()  # `snow` of that environment may be another clone's, or none
    os.execv(python, [str(python), "-m", "snow", *arguments])

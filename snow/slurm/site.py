"""The site file: the few values that differ from cluster to cluster, checked before anything is submitted."""

from __future__ import annotations

import re
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from snow.errors import SnowError

FILE = "slurm/site.yaml"
EXAMPLE = "slurm/site.example.yaml"
UNTYPED = "any"  # gpu_type where the site's GPUs have no type
_MAY_BE_EMPTY = {"account", "constraint"}
_LIMITS = {"max_minutes": "minutes", "max_memory_mb": "megabytes"}
_NAME = re.compile(r"[\w.,:+-]+")


@dataclass(frozen=True)
class Site:
    """One cluster. Names are Slurm's; `max_minutes` and `max_memory_mb` are the most its partitions accept, None for no limit."""

    partition: str
    gpu_partition: str
    gpu_type: str
    account: str
    constraint: str = ""
    max_minutes: int | None = None
    max_memory_mb: int | None = None
    sbatch: tuple[str, ...] = ()


def load(path: Path) -> Site:
    """The checked site file. Raises SnowError naming the file and the key that is missing, empty, unknown or no name."""
    if not path.exists():
        raise SnowError(f"{path} is missing; copy {EXAMPLE} to {path} and fill it in")
    try:
        values = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise SnowError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise SnowError(f"{path} must hold `key: value` lines, as in {EXAMPLE}")
    known = {field.name: field for field in fields(Site)}
    for key in values:
        if key not in known:
            raise SnowError(f"{path}: there is no key {key}; the keys are {', '.join(known)}")
    for key, field in known.items():
        if key not in values and field.default is MISSING:
            raise SnowError(f"{path}: {key} is missing; {EXAMPLE} says what it is")
    return Site(**{key: _checked(path, key, value) for key, value in values.items()})


def _checked(path: Path, key: str, value: Any) -> Any:
    if key == "sbatch":
        if not isinstance(value, list | None) or not all(isinstance(word, str) and word.startswith("-") for word in value or ()):
            raise SnowError(f"{path}: sbatch must be a list of sbatch options, like [--qos=long, --exclude=node7]")
        return tuple(value or ())
    if key in _LIMITS:
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            raise SnowError(f"{path}: {key} must be a whole number of {_LIMITS[key]}, not {value!r}")
        return value
    if value is None or value == "":
        if key in _MAY_BE_EMPTY:
            return ""
        raise SnowError(f"{path}: {key} is empty; {EXAMPLE} says what it is")
    if not isinstance(value, str) or (key != "constraint" and not _NAME.fullmatch(value)):
        raise SnowError(f"{path}: {key} must be a name that Slurm knows, not {value!r}")
    return value

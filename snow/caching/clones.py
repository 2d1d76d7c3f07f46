"""Which clones use a cache directory: a small file for each under `clones/`, so that `snow gc` in one of them knows of the others.

A clone is entered when it first opens the cache for a job or a run. One that may not write there is not known, nor is one that only
ever used `dvc` itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from snow import digest
from snow.errors import SnowError

FOLDER = "clones"


@dataclass(frozen=True)
class Clone:
    """A clone as it was entered: its absolute path, and the host that saw it there."""

    path: Path
    host: str
    entry: Path


def register(cache: Path, clone: Path) -> None:
    """Enter a clone; nothing is written when it is there already, or cannot be."""
    path = clone.resolve()
    entry = cache / FOLDER / hashlib.blake2b(os.fsencode(path), digest_size=16).hexdigest()
    with contextlib.suppress(OSError):  # a cache that is full, or only to be read
        if not entry.exists():
            digest.replace(entry, json.dumps({"path": str(path), "host": os.uname().nodename}) + "\n")


def registered(cache: Path) -> list[Clone]:
    """Every clone that was entered, by path. Raises SnowError naming an entry that cannot be read."""
    found = []
    for entry in (cache / FOLDER).glob("[0-9a-f]*"):
        try:
            told = json.loads(entry.read_bytes())
            found.append(Clone(Path(told["path"]), told["host"], entry))
        except (OSError, ValueError, KeyError, TypeError):
            raise SnowError(
                f"{entry}, which names a clone that uses this cache, cannot be read; delete it if you know that none does"
            ) from None
    return sorted(found, key=lambda clone: clone.path)

"""Lines in and out, shared by several stages: a change here concerns all of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

END = "."


def read(path: Path) -> list[str]:
    """The lines of a file."""
    return path.read_text().splitlines()


def write(path: Path, lines: Iterable[str]) -> int:
    """Write lines; returns how many."""
    kept = list(lines)
    path.write_text("".join(f"{line}{END}\n" for line in kept))
    return len(kept)

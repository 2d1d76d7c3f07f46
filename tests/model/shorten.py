"""Make a failing list of steps shorter while it fails with the same kind of complaint: `python -m tests.model.shorten < steps.json`.

Prints the shortest list found and what it says. Parts of the list are left out in turn, halves first, then single steps.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..forked import in_memory
from .commands import serving
from .ground import Ground, prepare, replay

TRIES = 2  # a step with a moment in it does not fail every time

Steps = Sequence[Sequence[Any]]


def complaint(ground: Ground, steps: Steps) -> str | None:
    """What a list of steps fails with, None when it does not."""
    for _ in range(TRIES):
        try:
            replay(ground, steps)
        except AssertionError as error:
            return str(error)
    return None


def kind(text: str) -> str:
    """The words of a complaint that stay when names and hashes change."""
    said = text.partition("]:\n")[2][:60]
    return re.sub(r"[\w-]*\d[\w-]*|eval-\w|models-\w|corpus-\w+|(?<=`snow why` calls )\w+ \S+|\w+ \w+/\w+", "_", said)


def shorten(ground: Ground, steps: Steps) -> tuple[Steps, str]:
    """The shortest list found that fails like the given one."""
    said = complaint(ground, steps)
    if said is None:
        raise SystemExit("these steps do not fail")
    wanted, width = kind(said), max(1, len(steps) // 2)
    while True:
        at = len(steps) - width
        while at >= 0:
            fewer = [*steps[:at], *steps[at + width :]]
            found = complaint(ground, fewer) if fewer else None
            if found is not None and kind(found) == wanted:
                steps, said = fewer, found
                print(json.dumps(steps), file=sys.stderr, flush=True)
            at -= width
        if width == 1:
            return steps, said
        width //= 2


def main() -> None:
    """From standard input to standard output."""
    steps = json.load(sys.stdin)
    with serving() as commands, tempfile.TemporaryDirectory(prefix="snow-model-", dir=in_memory()) as folder:
        shortest, said = shorten(prepare(commands, Path(folder)), steps)
    print(json.dumps(shortest))
    print(said)


if __name__ == "__main__":
    main()

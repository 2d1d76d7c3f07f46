"""Being asked to end: SIGTERM, as batch systems, `timeout` and a shutdown send it, and SIGUSR1, as a warning before a time limit."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator, Sequence

ASKING = (signal.SIGTERM, signal.SIGUSR1)


@contextlib.contextmanager
def noted() -> Iterator[Sequence[int]]:
    """Within, such a signal does nothing but appear in the sequence. Main thread only."""
    seen: list[int] = []
    before = {each: signal.signal(each, lambda number, _: seen.append(number)) for each in ASKING}
    try:
        yield seen
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)

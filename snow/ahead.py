"""Work on the next of some items while what was made of the present one is used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


def ahead(items: Iterable[Item], make: Callable[[Item], Made]) -> Iterator[tuple[Item, Made]]:
    """(item, make(item)) in order, each made on a thread of its own while the one before is used; what `make` raises is raised here."""
    with ThreadPoolExecutor(1) as thread:
        waiting = None
        for item in items:
            coming = item, thread.submit(make, item)
            if waiting:
                yield waiting[0], waiting[1].result()
            waiting = coming
        if waiting:
            yield waiting[0], waiting[1].result()

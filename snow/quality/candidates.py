"""The documents of one language that a selection chooses from, in a file, and their order, sorted outside memory.

An order is made as sorted runs of `BATCH` documents, cut at the same keys into parts of about as many; a part of all runs is read and
sorted at a time. Memory is some batches, whatever the number of documents.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

BATCH = 1 << 17  # documents

ENTRY = np.dtype(
    [
        ("row", np.int64),  # in the index of its shard
        ("score", np.float32),
        ("tokens", np.int64),
        ("tie", np.uint64),  # orders documents of equal score
        ("lot", np.uint64),  # orders all of them for a random selection
    ]
)
PLACE = np.dtype([("key", np.uint64), ("tie", np.uint64), ("tokens", np.int64), ("position", np.int64)])


class Candidates:
    """Entries by shard and row in the file `path`; `count` and `tokens` of all, positions counted from the first."""

    def __init__(self, path: Path) -> None:
        self.path, self.count, self.tokens = path, 0, 0
        self._ends: dict[int, tuple[int, int]] = {}  # shard -> its first position, and the one behind its last
        path.write_bytes(b"")

    def add(self, shard: int, entries: np.ndarray) -> None:
        """Append documents of a shard, which is the last one or a new one."""
        with self.path.open("ab") as file:
            entries.tofile(file)
        start, _ = self._ends.get(shard, (self.count, 0))
        self.count += len(entries)
        self.tokens += int(entries["tokens"].sum())
        self._ends[shard] = (start, self.count)

    def chunks(self, shard: int | None = None) -> Iterator[tuple[int, np.ndarray]]:
        """(position of the first, entries), `BATCH` at a time, of a shard or all."""
        start, end = (0, self.count) if shard is None else self._ends.get(shard, (0, 0))
        for first in range(start, end, BATCH):
            yield first, np.fromfile(self.path, ENTRY, min(BATCH, end - first), offset=first * ENTRY.itemsize)

    def ordered(self, shuffled: bool, scratch: Path) -> Iterator[np.ndarray]:
        """PLACE of all from the best score to the worst, or in random order, some at a time."""
        stride = -(-self.count // BATCH)
        keys = np.sort(np.concatenate([np.empty(0, np.uint64), *(_keys(one, shuffled)[::stride] for _, one in self.chunks())]))
        bounds = keys[len(keys) // stride :: max(1, len(keys) // stride)][: stride - 1] if stride > 1 else keys[:0]
        runs, cuts = scratch / f"{self.path.name}-runs", []
        with runs.open("wb") as file:
            for start, entries in self.chunks():
                places = np.zeros(len(entries), PLACE)
                places["key"], places["tie"], places["tokens"] = _keys(entries, shuffled), entries["tie"], entries["tokens"]
                places["position"] = np.arange(start, start + len(entries))
                places = places[np.argsort(places["key"])]
                cuts.append(start + np.array([0, *np.searchsorted(places["key"], bounds), len(places)]))
                places.tofile(file)
        for part in range(len(bounds) + 1):
            segments = [np.fromfile(runs, PLACE, cut[part + 1] - cut[part], offset=cut[part] * PLACE.itemsize) for cut in cuts]
            places = np.concatenate([np.empty(0, PLACE), *segments])
            yield places[np.lexsort((places["tie"], places["key"]))]


def _keys(entries: np.ndarray, shuffled: bool) -> np.ndarray:
    """Ascending in the wanted order: the lot, or the score's bits, turned so that the best come first, and the first half of the tie."""
    if shuffled:
        return entries["lot"]
    bits = (entries["score"] + np.float32(0)).view(np.uint32)  # no negative zero
    ascending = np.where(bits >> np.uint32(31), ~bits, bits | np.uint32(1 << 31))
    return (~ascending).astype(np.uint64) << np.uint64(32) | entries["tie"] >> np.uint64(32)

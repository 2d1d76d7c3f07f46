"""Connected components of similar documents: union-find over the pairs that collide in a band and agree on evidence."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from snow.corpus.compiled import compiled
from snow.errors import SnowError

Keys = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.uint32]
Evidence = npt.NDArray[np.uint32]
Piece = tuple[Keys, Rows]  # keys and the rows that they belong to

BUCKET = 1000  # a document is compared with the first so many of its bucket; without a limit one boilerplate file type is quadratic
ID_WORDS = 4  # a document id is 128 bits
PART = 1 << 20  # rows whose keys are sorted at a time, about 50 bytes each
MOST_PARTS = 512  # files that are open together
CHUNK = 1 << 18  # rows that are looked at together where nothing is sorted
SPILLED = np.dtype([("key", "<u8"), ("row", "<u4")])


@compiled
def _find(parents: Rows, row: int) -> int:
    while parents[row] != row:
        parents[row] = parents[parents[row]]
        row = parents[row]
    return row


@compiled
def _join(order: npt.NDArray[np.int64], keys: Keys, rows: Rows, evidence: Evidence, needed: int, parents: Rows) -> tuple[int, int]:
    compared, limited, start = 0, 0, 0
    while start < len(order):
        end = start + 1
        while end < len(order) and keys[order[end]] == keys[order[start]]:
            end += 1
        for late in range(start + 1, end):
            row = rows[order[late]]
            for early in range(start, min(late, start + BUCKET)):
                other = rows[order[early]]
                root, other_root = _find(parents, row), _find(parents, other)
                if root == other_root:
                    continue
                agreeing = 0
                for word in range(evidence.shape[1]):
                    agreeing += evidence[row, word] == evidence[other, word]
                compared += 1
                if agreeing >= needed:
                    parents[max(root, other_root)] = min(root, other_root)
            if late - start > BUCKET and _find(parents, row) != _find(parents, rows[order[start]]):
                limited += 1
        start = end
    return compared, limited


@compiled
def _flatten(parents: Rows) -> None:
    for row in range(len(parents)):  # a parent is never after its child, so it is already a root
        parents[row] = parents[parents[row]]


def join(keys: Keys, rows: Rows, evidence: Evidence, needed: int, parents: Rows) -> tuple[int, int]:
    """Unite rows whose keys are equal and whose evidence agrees in at least `needed` words; `parents` is changed in place.

    `keys[i]` belongs to row `rows[i]`; `parents` is a union-find forest in which every root is the smallest row of its tree.
    Returns how many pairs were compared, and how many documents beyond the first `BUCKET` of theirs stayed apart from its first.
    """
    proof = np.ascontiguousarray(evidence).view()
    proof.flags.writeable = False  # one type for the kernel, wherever the evidence comes from
    return _join(np.argsort(keys, kind="stable"), keys, rows, proof, needed, parents)


def in_parts(pieces: Iterable[Piece], rows: int, folder: Path | None) -> Iterator[Piece]:
    """All of `pieces`, which belong to `rows` rows at most, in parts of about `PART`, in each of which a key is with all its equals;
    rows keep their order. More than one part is written to files in `folder`, which None has no need of.
    """
    count = min(max(1, -(-rows // PART)), MOST_PARTS)
    if folder is None or count == 1:
        if found := list(pieces):
            yield np.concatenate([keys for keys, _ in found]), np.concatenate([of for _, of in found]).astype(np.uint32, copy=False)
        return
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context((folder / f"part-{part}").open("w+b")) for part in range(count)]
        for keys, of in pieces:
            spilled = np.empty(len(keys), SPILLED)
            # A multiplication spreads keys of which only some bits differ.
            part = ((keys * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)) % np.uint64(count)
            order = np.argsort(part, kind="stable")
            spilled["key"], spilled["row"] = keys[order], of[order]
            ends = np.searchsorted(part[order], np.arange(count), side="right")
            for file, some in zip(files, np.split(spilled, ends[:-1]), strict=True):
                file.write(some.tobytes())
        for file in files:
            file.seek(0)
            found = np.fromfile(file, SPILLED)
            yield np.ascontiguousarray(found["key"]), np.ascontiguousarray(found["row"])
            file.truncate(0)


def components(
    ids: Evidence, signatures: Evidence, bands: Iterable[Iterable[Piece]], threshold: float, folder: Path | None = None
) -> tuple[Rows, dict[str, int]]:
    """The smallest row of every row's cluster, and counts of the work done.

    `ids` is (documents, 4) uint32, `signatures` (documents, permutations) uint32; each band gives the keys and rows of the
    signed documents, rows ascending, in any number of pieces. Only one copy of each id takes part in the bands. Memory is 5 bytes a
    document and a part of a band, if there is a `folder` for what else is sorted. SnowError for more documents than 32 bits count.
    """
    if len(ids) >= 1 << 32:
        raise SnowError(f"{len(ids)} documents are more than one corpus can have deduplicated, {(1 << 32) - 1}; divide it")
    parents = np.arange(len(ids), dtype=np.uint32)
    for keys, rows in in_parts(_first_words(ids), len(ids), folder):
        join(keys, rows, ids, ID_WORDS, parents)
    _flatten(parents)
    single = np.empty(len(ids), bool)
    for some in chunks(len(ids)):
        single[some] = parents[some] == np.arange(some.start, some.stop)
    needed = math.ceil(threshold * signatures.shape[1] - 1e-9)
    compared = limited = 0
    for band in bands:
        chosen = ((keys[single[rows]], rows[single[rows]]) for keys, rows in band)
        for keys, rows in in_parts(chosen, len(ids), folder):
            counts = join(keys, rows, signatures, needed, parents)
            compared, limited = compared + counts[0], limited + counts[1]
    _flatten(parents)
    return parents, {"pairs_compared": compared, "not_compared_with_all": limited}


def chunks(rows: int) -> Iterator[slice]:
    """All rows, some at a time."""
    for start in range(0, rows, CHUNK):
        yield slice(start, min(rows, start + CHUNK))


def _first_words(ids: Evidence) -> Iterator[Piece]:
    for some in chunks(len(ids)):
        yield np.ascontiguousarray(ids[some, :2]).view(np.uint64).ravel(), np.arange(some.start, some.stop, dtype=np.uint32)

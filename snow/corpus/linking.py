"""Connected components of similar documents: union-find over the pairs that collide in a band and agree on evidence."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from snow.corpus.compiled import compiled

Integers = npt.NDArray[np.int64]
Evidence = npt.NDArray[np.uint32]

BUCKET = 1000  # a document is compared with the first so many of its bucket; without a limit one boilerplate file type is quadratic
ID_WORDS = 4  # a document id is 128 bits


@compiled
def _find(parents: Integers, row: int) -> int:
    while parents[row] != row:
        parents[row] = parents[parents[row]]
        row = parents[row]
    return row


@compiled
def _join(
    order: Integers, keys: npt.NDArray[np.uint64], rows: Integers, evidence: Evidence, needed: int, parents: Integers
) -> tuple[int, int]:
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
def _flatten(parents: Integers) -> None:
    for row in range(len(parents)):  # a parent is never after its child, so it is already a root
        parents[row] = parents[parents[row]]


def join(keys: npt.NDArray[np.uint64], rows: Integers, evidence: Evidence, needed: int, parents: Integers) -> tuple[int, int]:
    """Unite rows whose keys are equal and whose evidence agrees in at least `needed` words; `parents` is changed in place.

    `keys[i]` belongs to row `rows[i]`; `parents` is a union-find forest in which every root is the smallest row of its tree.
    Returns how many pairs were compared, and how many documents beyond the first `BUCKET` of theirs stayed apart from its first.
    """
    proof = np.ascontiguousarray(evidence).view()
    proof.flags.writeable = False  # one type for the kernel, wherever the evidence comes from
    return _join(np.argsort(keys, kind="stable"), keys, rows, proof, needed, parents)


def components(
    ids: Evidence, signatures: Evidence, bands: Iterable[tuple[npt.NDArray[np.uint64], Integers]], threshold: float
) -> tuple[Integers, dict[str, int]]:
    """The smallest row of every row's cluster, and counts of the work done.

    `ids` is (documents, 4) uint32, `signatures` (documents, permutations) uint32; each band gives the keys and rows of the
    signed documents, rows ascending. Only one copy of each id takes part in the bands.
    """
    parents = np.arange(len(ids), dtype=np.int64)
    join(np.ascontiguousarray(ids[:, :2]).view(np.uint64).ravel(), parents.copy(), ids, ID_WORDS, parents)
    _flatten(parents)
    single = parents == np.arange(len(ids))
    needed = math.ceil(threshold * signatures.shape[1] - 1e-9)
    compared = limited = 0
    for keys, rows in bands:
        chosen = single[rows]
        counts = join(keys[chosen], rows[chosen], signatures, needed, parents)
        compared, limited = compared + counts[0], limited + counts[1]
    _flatten(parents)
    return parents, {"pairs_compared": compared, "not_compared_with_all": limited}

"""Bringing Python to its share of the synthetic bytes while the other languages keep their proportions [P 2.4]."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snow.synthesis import seeds


def surplus(languages: Sequence[str], sizes: Sequence[int], keys: Sequence[str], python_share: float, seed: int) -> set[int]:
    """Which documents have to go, as positions.

    Only the side with too many bytes, Python or the rest, loses documents, chosen by a hash of `keys` and spread over its
    languages, up to the one whose loss would no longer bring the share closer. Neither side loses its last document, and
    nothing goes when there is only one side.
    """
    sides = {side: [i for i, language in enumerate(languages) if (language == "Python") is side] for side in (True, False)}
    held = {side: sum(sizes[i] for i in members) for side, members in sides.items()}
    if not sides[True] or not sides[False]:
        return set()
    total = {True: python_share, False: 1 - python_share}
    # A side may hold as many bytes as the other side's bytes call for.
    goal = {side: held[not side] * total[side] / total[not side] if total[not side] else held[side] for side in sides}
    side = held[True] > goal[True]
    order = _spread([languages[i] for i in sides[side]], [sizes[i] for i in sides[side]], [keys[i] for i in sides[side]], seed)
    kept = 0
    for rank, member in enumerate(order):
        size = sizes[sides[side][member]]
        if rank and kept + size / 2 > goal[side]:
            return {sides[side][late] for late in order[rank:]}
        kept += size
    return set()


def _spread(languages: Sequence[str], sizes: Sequence[int], keys: Sequence[str], seed: int) -> list[int]:
    """Positions in an order of which every prefix has about the languages' proportions of bytes.

    A document's place is the share of its language's bytes that come before its middle, in hash order within the language.
    """
    ranks = [seeds.draw(2**64, "surplus", seed, key) for key in keys]
    hashed = sorted(range(len(keys)), key=lambda i: (ranks[i], keys[i]))
    totals: dict[str, int] = {}
    middles = np.zeros(len(keys))
    for i in hashed:
        before = totals.get(languages[i], 0)
        middles[i] = before + sizes[i] / 2
        totals[languages[i]] = before + sizes[i]
    return sorted(hashed, key=lambda i: middles[i] / totals[languages[i]])

"""Which shard a repository belongs to: the one its name hashes to, unless that would make shards uneven.

Consistent hashing with bounded loads (Mirrokni, Thorup and Zadimoghaddam 2018, arXiv:1608.01350): no shard takes more than
`BOUND` times the mean as long as another one has room, and a repository more or less moves few others. Only repositories that are
large beside a shard are ever moved; the many small ones even out by themselves, so memory does not grow with them.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import numpy.typing as npt

from snow.corpus.units import home, rank

BOUND = 1.24  # times the mean, rounded up by at most STEP: below 1.3
STEP = 2 ** (1 / 16)  # the mean is rounded, so that the bound stays where it is when the corpus grows a little
LARGE = 1 / 1024  # of a shard; of smaller ones each shard has so many that their sizes differ by a tenth in 512 shards
TRIES = 8  # shards of its own order that a repository tries; after them the emptiest
BUCKETS = 1 << 22  # of a first count, 32 MB: more than there are large repositories in 512 shards, by far


def shard_of(repo: str, places: Mapping[str, int], shards: int) -> int:
    """The shard of a repository; `places` are those of the repositories that are not at home."""
    return places[repo] if repo in places else home(repo, shards)


def moved(read: Callable[[], Iterable[Mapping[str, int]]], shards: int) -> tuple[dict[str, int], list[int]]:
    """The shard of every repository that is not at home, and the bytes that each shard then has.

    `read` gives bytes by repository part for part, and is called again where shards are uneven; a repository may be in several parts.
    Memory is one part, the buckets, and the repositories in buckets that hold as much as a large one, few besides those that are.
    """
    counted, buckets = np.zeros(shards, np.int64), np.zeros(BUCKETS, np.int64)
    for part in read():
        ranks, sizes = _arrays(part)
        np.add.at(counted, ranks % shards, sizes)
        np.add.at(buckets, ranks % BUCKETS, sizes)
    loads: list[int] = counted.tolist()
    mean = sum(loads) / shards
    bound = BOUND * STEP ** math.ceil(math.log(mean, STEP)) if mean else 0
    if max(loads) <= bound:
        return {}, loads
    large: Counter[str] = Counter()
    for part in read():
        ranks, sizes = _arrays(part)
        some = buckets[ranks % BUCKETS] >= mean * LARGE
        large.update(dict(zip(itertools.compress(part, some), sizes[some].tolist(), strict=True)))
    return _moved({repo: size for repo, size in large.items() if size >= mean * LARGE}, bound, loads), loads


def _arrays(part: Mapping[str, int]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """The ranks of a part's repositories and their bytes."""
    return np.fromiter(map(rank, part), np.uint64, len(part)), np.fromiter(part.values(), np.int64, len(part))


def _moved(large: Mapping[str, int], bound: float, loads: list[int]) -> dict[str, int]:
    """Places the large ones anew, the largest first; `loads` are what the shards have with all at home, and have in the end."""
    shards = len(loads)
    for repo, size in large.items():
        loads[home(repo, shards)] -= size
    places: dict[str, int] = {}
    for repo, size in sorted(large.items(), key=lambda item: (-item[1], rank(item[0]), item[0])):
        tried = [home(repo, shards), *(home(f"{repo}\n{turn}", shards) for turn in range(1, TRIES))]
        shard = next((shard for shard in tried if loads[shard] + size <= bound), None)
        if shard is None:
            shard = min(range(shards), key=loads.__getitem__)
        loads[shard] += size
        if shard != tried[0]:
            places[repo] = shard
    return places

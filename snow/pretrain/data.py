"""Which tokens a step trains on: a function of the seed and the step, whatever the number of workers or interruptions.

A token set is cut into windows of `sequence_length` tokens, each read with one token more so that every token is predicted
once. Each pass visits the windows in an order of its own, computed instead of stored: a corpus of 61 million windows costs
no memory, and step N needs no knowledge of the steps before it. Of a mixture, every `BLOCK` sequences have the shares to within one
place, and each set goes through its own windows as if it were alone.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snow.tokens.stream import Stream

BLOCK = 1000  # sequences in which a mixture's shares hold
ROUNDS = 6  # of the Feistel network; 4 suffice in theory (Luby and Rackoff, 1988), small networks profit from more


def window_count(tokens: int, sequence_length: int) -> int:
    """Whole windows of a stream of so many tokens; one for a stream shorter than a window, which is then read around in a circle."""
    return max(1, (tokens - 1) // sequence_length)


def windows(stream: Stream, indices: np.ndarray, sequence_length: int) -> np.ndarray:
    """The windows of those indices: int64 [len(indices), sequence_length + 1], inputs and, shifted by one, targets."""
    return np.stack([stream.read(int(index) * sequence_length, sequence_length + 1) for index in indices])


@dataclass(frozen=True)
class Part:
    """A token set that is trained on, and its share of the sequences."""

    name: str
    stream: Stream
    share: float


def places(shares: Sequence[float]) -> list[int]:
    """How many of `BLOCK` sequences each share gets: rounded down, what is left to the largest remainders, the first of equal ones."""
    exact = [share * BLOCK for share in shares]
    whole = [int(value) for value in exact]
    by_rest = sorted(range(len(shares)), key=lambda index: (whole[index] - exact[index], index))
    for index in by_rest[: BLOCK - sum(whole)]:
        whole[index] += 1
    return whole


def drawn(position: int, counts: Sequence[int], seed: int) -> tuple[int, int]:
    """(which part, its how-manieth sequence) of a position in the run; `counts` are `places`."""
    block, place = divmod(position, BLOCK)
    parts = _block(tuple(counts), seed, block)
    return int(parts[place]), block * counts[parts[place]] + int(np.count_nonzero(parts[:place] == parts[place]))


def taken(positions: int, counts: Sequence[int], seed: int) -> list[int]:
    """How many of the first `positions` sequences of the run are of each part."""
    block, rest = divmod(positions, BLOCK)
    parts = _block(tuple(counts), seed, block)[:rest]
    return [block * count + int(np.count_nonzero(parts == part)) for part, count in enumerate(counts)]


@functools.lru_cache(maxsize=2)
def _block(counts: tuple[int, ...], seed: int, block: int) -> np.ndarray:
    """The part of each of a block's places; numbered below 0, because passes over windows have the numbers from 0 on."""
    return np.repeat(np.arange(len(counts)), counts)[[permuted(place, BLOCK, seed, -1 - block) for place in range(BLOCK)]]


def batch(parts: Sequence[Part], sequence_length: int, seed: int, positions: np.ndarray) -> np.ndarray:
    """Training sequences by their position in the run (step * batch_size + row): int64 [len(positions), sequence_length + 1]."""
    counts = places([part.share for part in parts])
    rows = []
    for position in positions.tolist():
        index, number = drawn(position, counts, seed)
        stream = parts[index].stream
        count = window_count(len(stream), sequence_length)
        window = permuted(number % count, count, seed, number // count)
        rows.append(stream.read(window * sequence_length, sequence_length + 1))
    return np.stack(rows)


def permuted(index: int, count: int, seed: int, epoch: int) -> int:
    """Where pass `epoch` finds its window number `index`: a permutation of range(count) keyed by (seed, epoch).

    A Feistel network over the smallest even number of bits that covers `count`; what falls outside goes through again, which
    stays a permutation and takes less than four rounds on average.
    """
    half = _half(count)
    mask = (1 << half) - 1
    while True:
        left, right = index >> half, index & mask
        for turn in range(ROUNDS):
            left, right = right, left ^ (_key(seed, epoch, turn, right) & mask)
        index = left << half | right
        if index < count:
            return index


def place_of(window: int, count: int, seed: int, epoch: int) -> int:
    """Which number window `window` has in pass `epoch`: the inverse of `permuted`, its rounds backwards."""
    half = _half(count)
    mask = (1 << half) - 1
    while True:
        left, right = window >> half, window & mask
        for turn in reversed(range(ROUNDS)):
            left, right = right ^ (_key(seed, epoch, turn, left) & mask), left
        window = left << half | right
        if window < count:
            return window


def _half(count: int) -> int:
    """Half of the bits of the network over `count` windows."""
    return max(1, ((count - 1).bit_length() + 1) // 2)


def _key(seed: int, epoch: int, turn: int, value: int) -> int:
    return int.from_bytes(hashlib.blake2b(f"{seed} {epoch} {turn} {value}".encode(), digest_size=8).digest(), "little")

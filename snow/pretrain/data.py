"""Which tokens a step trains on: a function of the seed and the step, whatever the number of workers or interruptions.

The stream is cut into windows of `sequence_length` tokens, each read with one token more so that every token is predicted
once. Each pass visits the windows in an order of its own, computed instead of stored: a corpus of 61 million windows costs
no memory, and step N needs no knowledge of the steps before it.
"""

from __future__ import annotations

import hashlib

import numpy as np

from snow.tokens.stream import Stream

ROUNDS = 6  # of the Feistel network; 4 suffice in theory (Luby and Rackoff, 1988), small networks profit from more


def window_count(stream: Stream, sequence_length: int) -> int:
    """Whole windows of the stream; one for a stream shorter than a window, which is then read around in a circle."""
    return max(1, (len(stream) - 1) // sequence_length)


def windows(stream: Stream, indices: np.ndarray, sequence_length: int) -> np.ndarray:
    """The windows of those indices: int64 [len(indices), sequence_length + 1], inputs and, shifted by one, targets."""
    return np.stack([stream.read(int(index) * sequence_length, sequence_length + 1) for index in indices])


def batch(stream: Stream, sequence_length: int, seed: int, positions: np.ndarray) -> np.ndarray:
    """Training sequences by their position in the run (step * batch_size + row): int64 [len(positions), sequence_length + 1]."""
    count = window_count(stream, sequence_length)
    indices = [permuted(position % count, count, seed, position // count) for position in positions.tolist()]
    return windows(stream, np.asarray(indices), sequence_length)


def permuted(index: int, count: int, seed: int, epoch: int) -> int:
    """Where pass `epoch` finds its window number `index`: a permutation of range(count) keyed by (seed, epoch).

    A Feistel network over the smallest even number of bits that covers `count`; what falls outside goes through again, which
    stays a permutation and takes less than four rounds on average.
    """
    half = max(1, ((count - 1).bit_length() + 1) // 2)
    mask = (1 << half) - 1
    while True:
        left, right = index >> half, index & mask
        for turn in range(ROUNDS):
            key = hashlib.blake2b(f"{seed} {epoch} {turn} {right}".encode(), digest_size=8).digest()
            left, right = right, left ^ (int.from_bytes(key, "little") & mask)
        index = left << half | right
        if index < count:
            return index

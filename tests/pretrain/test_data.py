"""What the order of training data promises: a function of seed and step, every window once per pass, no token lost between."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from snow.pretrain import data
from snow.tokens.stream import Stream


def stream(*lengths: int) -> Stream:
    """Shards of those lengths whose tokens are their own positions in the stream."""
    ends = np.cumsum(lengths)
    shards = tuple(np.arange(end - length, end, dtype="<u4") for length, end in zip(lengths, ends, strict=True))
    return Stream(shards, ends, int(ends[-1]))


@pytest.mark.parametrize("count", [1, 2, 3, 5, 64, 195, 1000])
def test_every_pass_visits_every_window_once(count: int) -> None:
    for epoch in range(3):
        assert sorted(data.permuted(index, count, 0, epoch) for index in range(count)) == list(range(count))


def test_passes_and_seeds_have_orders_of_their_own() -> None:
    orders = {tuple(data.permuted(index, 195, seed, epoch) for index in range(195)) for seed in range(3) for epoch in range(3)}
    assert len(orders) == 9


def test_order_looks_random() -> None:
    """Neighbours end up as far apart as two random windows, a third of the stream on average."""
    order = [data.permuted(index, 10_000, 0, 0) for index in range(10_000)]
    assert np.abs(np.diff(order)).mean() == pytest.approx(10_000 / 3, rel=0.05)


def test_windows_predict_every_token_once_across_shards() -> None:
    tokens = stream(70, 0, 3, 100)
    rows = data.windows(tokens, np.arange(data.window_count(tokens, 16)), 16)
    assert rows[:, 1:].flatten().tolist() == list(range(1, len(rows) * 16 + 1))


def test_batches_of_any_split_are_the_same_sequences() -> None:
    tokens = stream(1000, 1000)
    whole = data.batch(tokens, 16, 7, np.arange(40, 60))
    halves = [data.batch(tokens, 16, 7, np.arange(begin, begin + 5)) for begin in range(40, 60, 5)]
    assert np.concatenate(halves).tolist() == whole.tolist()


def test_repetitions_see_each_window_equally_often() -> None:
    tokens = stream(16 * 30 + 1)
    rows = data.batch(tokens, 16, 0, np.arange(4 * 30))
    assert set(Counter(rows[:, 0].tolist()).values()) == {4}


def test_stream_shorter_than_a_window_is_read_in_a_circle() -> None:
    assert data.batch(stream(5), 8, 0, np.arange(1)).tolist() == [[0, 1, 2, 3, 4, 0, 1, 2, 3]]

"""What the order of training data promises: a function of seed and step, every window once per pass, no token lost; mixtures too."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from snow.pretrain import data
from snow.pretrain.train import horizon
from snow.tokens.stream import Stream
from tests.stage_runs import params

LENGTH = 16


def stream(*lengths: int) -> Stream:
    """Shards of those lengths whose tokens are their own positions in the stream."""
    ends = np.cumsum(lengths)
    shards = tuple(np.arange(end - length, end, dtype="<u4") for length, end in zip(lengths, ends, strict=True))
    return Stream(shards, ends, int(ends[-1]))


def alone(tokens: Stream) -> tuple[data.Part, ...]:
    """A model's one token set."""
    return (data.Part("alone", tokens, 1.0),)


def mixture(**sets: tuple[float, int]) -> tuple[data.Part, ...]:
    """Token sets by name with their share and number of windows; their tokens are their own positions."""
    return tuple(data.Part(name, stream(LENGTH * count + 1), share) for name, (share, count) in sets.items())


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
    rows = data.windows(tokens, np.arange(data.window_count(len(tokens), 16)), 16)
    assert rows[:, 1:].flatten().tolist() == list(range(1, len(rows) * 16 + 1))


def test_batches_of_any_split_are_the_same_sequences() -> None:
    tokens = alone(stream(1000, 1000))
    whole = data.batch(tokens, 16, 7, np.arange(40, 60))
    halves = [data.batch(tokens, 16, 7, np.arange(begin, begin + 5)) for begin in range(40, 60, 5)]
    assert np.concatenate(halves).tolist() == whole.tolist()


def test_repetitions_see_each_window_equally_often() -> None:
    rows = data.batch(alone(stream(16 * 30 + 1)), 16, 0, np.arange(4 * 30))
    assert set(Counter(rows[:, 0].tolist()).values()) == {4}


def test_stream_shorter_than_a_window_is_read_in_a_circle() -> None:
    assert data.batch(alone(stream(5)), 8, 0, np.arange(1)).tolist() == [[0, 1, 2, 3, 4, 0, 1, 2, 3]]


@pytest.mark.parametrize(
    ("shares", "expected"), [([1.0], [1000]), ([0.8, 0.2], [800, 200]), ([1 / 3] * 3, [334, 333, 333]), ([0.999, 0.001], [999, 1])]
)
def test_a_thousand_sequences_have_the_shares_to_a_thousandth(shares: list[float], expected: list[int]) -> None:
    assert data.places(shares) == expected
    for block in range(3):
        drawn = [data.drawn(position, expected, 5)[0] for position in range(1000 * block, 1000 * (block + 1))]
        assert [drawn.count(part) for part in range(len(shares))] == expected


def test_each_set_of_a_mixture_is_read_without_gaps_in_an_order_of_its_own() -> None:
    counts = [700, 250, 50]
    drawn = [data.drawn(position, counts, 3) for position in range(2500)]
    for part in range(3):
        numbers = [number for each, number in drawn if each == part]
        assert numbers == list(range(len(numbers)))
    for end in (0, 1, 999, 1000, 1001, 2345, 2500):
        assert data.taken(end, counts, 3) == [sum(each == part for each, _ in drawn[:end]) for part in range(3)]
    blocks = [[each for each, _ in drawn[begin : begin + 1000]] for begin in (0, 1000)]
    assert blocks[0] != blocks[1], "every block is mixed alike"
    assert blocks[0] != [data.drawn(position, counts, 4)[0] for position in range(1000)], "every seed mixes alike"
    assert max(abs(blocks[0][:100].count(part) - counts[part] / 10) for part in range(3)) < 15, "a set comes at the end"


def test_a_mixture_loses_no_window_in_a_pass_and_does_not_depend_on_the_split() -> None:
    parts = mixture(large=(0.75, 90), small=(0.25, 30))
    whole = data.batch(parts, LENGTH, 1, np.arange(240))
    split = [data.batch(parts, LENGTH, 1, np.arange(begin, begin + 8)) for begin in range(0, 240, 8)]
    assert np.concatenate(split).tolist() == whole.tolist()
    drawn = [data.drawn(position, data.places([0.75, 0.25]), 1) for position in range(240)]
    for index, count in enumerate((90, 30)):
        seen = [row[0] // LENGTH for row, (part, number) in zip(whole.tolist(), drawn, strict=True) if part == index and number < count]
        assert len(seen) == len(set(seen)), "a window came twice in one pass"
        assert len(seen) == min(count, sum(part == index for part, _ in drawn))


@pytest.mark.parametrize(
    ("parts", "repetitions", "batch_size", "steps", "cut"),
    [
        (mixture(alone=(1.0, 100)), 1, 8, 12, True),
        (mixture(alone=(1.0, 100)), 4, 8, 50, True),
        (mixture(alone=(1.0, 1000)), 1, 8, 100, False),
        (mixture(alone=(1.0, 3)), 1, 8, 1, True),  # one step at least
    ],
)
def test_a_horizon_is_the_tokens_or_the_repetitions(
    parts: tuple[data.Part, ...], repetitions: int, batch_size: int, steps: int, cut: bool
) -> None:
    length = horizon(parts, model(repetitions, batch_size, 100), 0)
    assert (length.steps, length.cut) == (steps, cut)
    assert length.passes == (steps * batch_size / data.window_count(len(parts[0].stream), LENGTH),)


def test_the_set_that_is_used_up_first_ends_a_mixture() -> None:
    parts = mixture(large=(0.75, 9000), small=(0.25, 300))
    length = horizon(parts, model(2, 8, 10_000), 0)
    assert length.cut
    assert length.passes[1] <= 2 < length.passes[1] + 8 / 300
    seen = Counter(data.drawn(position, [750, 250], 0) for position in range(length.steps * 8))
    assert max(number for part, number in seen if part == 1) < 600
    assert length.passes == tuple(sum(part == index for part, _ in seen) / count for index, count in enumerate((9000, 300)))


def model(repetitions: int, batch_size: int, steps: int) -> Any:
    """A model that asks for so many steps."""
    wanted = {"repetitions": repetitions, "batch_size": batch_size, "tokens": steps * batch_size * LENGTH}
    return params({"models.phase1": {**wanted, "micro_batch_size": 4, "sequence_length": LENGTH}}).models["phase1"]

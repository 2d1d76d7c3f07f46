"""Asking back which pass reads a window when."""

from __future__ import annotations

import pytest

from snow.pretrain import data
from snow.trace import windows


@pytest.mark.parametrize("count", [1, 2, 3, 100, 257, 4096])
@pytest.mark.parametrize(("seed", "epoch"), [(0, 0), (7, 3)])
def test_the_position_of_a_window_is_where_the_training_takes_it(count: int, seed: int, epoch: int) -> None:
    for place in range(count):
        assert windows.position(data.permuted(place, count, seed, epoch), count, seed, epoch) == place

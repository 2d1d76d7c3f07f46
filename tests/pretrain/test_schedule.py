"""The three learning rate schedules of the paper's Table 5, by the numbers it gives."""

from __future__ import annotations

import pytest

from snow.pretrain.schedule import learning_rate, warmup_steps

MAX, MIN = 5.3e-4, 5.3e-5


def rates(kind: str, steps: int, warmup: int, min_lr: float) -> list[float]:
    return [learning_rate(kind, step, steps, warmup, MAX, min_lr) for step in range(steps)]


@pytest.mark.parametrize(("kind", "min_lr"), [("cosine", MIN), ("linear", 0.0)])
def test_warms_up_from_zero_to_max_and_comes_down_to_min(kind: str, min_lr: float) -> None:
    values = rates(kind, 1000, 100, min_lr)
    assert values[0] == pytest.approx(MAX / 100)
    assert values[99] == values[100] == MAX
    assert values[:100] == sorted(values[:100])
    assert values[100:] == sorted(values[100:], reverse=True)
    assert values[-1] == pytest.approx(min_lr, abs=MAX / 500)
    assert values[550] == pytest.approx((MAX + min_lr) / 2, rel=0.01)


def test_constant_stays_at_max() -> None:
    assert set(rates("constant", 50, 0, MIN)) == {MAX}


def test_horizon_shorter_than_the_warmup_still_reaches_max() -> None:
    steps = 6
    values = rates("linear", steps, warmup_steps(100, steps), 0.0)
    assert max(values) == MAX
    assert values[-1] < MAX

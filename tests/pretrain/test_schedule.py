"""The learning rate schedules: the three of the paper's Table 5 by the numbers it gives, and the others in common use."""

from __future__ import annotations

import math

import pytest

from snow.errors import SnowError
from snow.pretrain.schedule import learning_rate, warmup_steps
from tests.stage_runs import params

MAX, MIN = 5.3e-4, 5.3e-5


def rates(kind: str, steps: int, warmup: int, min_lr: float, decay_share: float | None = None) -> list[float]:
    return [learning_rate(kind, step, steps, warmup, MAX, min_lr, decay_share) for step in range(steps)]


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


def test_wsd_warms_up_stays_and_comes_down_in_its_last_share() -> None:
    values = rates("wsd", 1000, 100, MIN, 0.2)
    assert values[:100] == rates("linear", 1000, 100, MIN)[:100]
    assert set(values[99:801]) == {MAX}
    assert values[800:] == pytest.approx([MAX - (MAX - MIN) * step / 200 for step in range(200)])


def test_wsd_whose_decay_is_longer_than_what_the_warmup_leaves_is_linear() -> None:
    assert rates("wsd", 50, 20, 0.0, 0.9) == rates("linear", 50, 20, 0.0)


def test_min_to_zero_is_linear_without_a_warmup() -> None:
    values = [learning_rate("linear", step, 100, 0, MIN, 0.0) for step in range(100)]
    assert values == pytest.approx([MIN * (1 - step / 100) for step in range(100)])


def test_cosine_is_half_way_down_in_the_middle() -> None:
    values = rates("cosine", 1100, 100, 0.0)
    assert values[350] == pytest.approx(MAX * (1 + math.cos(math.pi / 4)) / 2)
    assert values[600] == pytest.approx(MAX / 2)


@pytest.mark.parametrize("wrong", [{"kind": "wsd"}, {"kind": "linear", "decay_share": 0.1}])
def test_the_share_of_the_decay_belongs_to_wsd(wrong: dict[str, object]) -> None:
    with pytest.raises(SnowError, match=r"models\.phase1\.schedule.*decay_share: wsd has it"):
        params({"models.phase1.schedule": wrong})

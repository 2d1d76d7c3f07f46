"""pass@k is the mean over tasks, and comes with its uncertainty."""

from typing import Any

import pytest

from snow.evaluate.scores import bootstrap, by_category, estimable, pass_at_k, rates, wilson


def rows(**statuses: str) -> list[dict[str, Any]]:
    """A sample per letter of each task: p(ass) or f(ail)."""
    words = {"p": "pass", "f": "fail"}
    return [{"task_id": task, "base": words[letter]} for task, letters in statuses.items() for letter in letters]


def test_tasks_with_more_samples_weigh_no_more() -> None:
    facts = rates(rows(a="ppp", b="f"), ("base",))["base"]
    assert (facts["value"], facts["passed"], facts["samples"], facts["tasks"]) == (0.5, 3, 4, 2)
    assert (facts["low"], facts["high"]) == (0.0, 1.0)  # two tasks say nothing


def test_a_part_counts_only_with_those_before_it() -> None:
    judged = [{"task_id": "a", "base": "fail", "plus": "pass"}, {"task_id": "b", "base": "pass", "plus": "pass"}]
    assert [part["value"] for part in rates(judged, ("base", "plus")).values()] == [0.5, 0.5]


def test_pass_at_k_is_unbiased() -> None:
    assert pass_at_k(10, 0, 5) == 0
    assert pass_at_k(10, 6, 5) == 1
    assert pass_at_k(4, 1, 1) == 0.25
    assert pass_at_k(4, 2, 2) == pytest.approx(1 - 1 / 6)
    with pytest.raises(ValueError, match="needs 5 samples"):
        pass_at_k(4, 4, 5)


def test_pass_at_10_where_every_task_has_ten_samples() -> None:
    judged = rows(a="p" + "f" * 11, b="f" * 10)
    assert estimable(judged) == (1, 10)
    assert estimable(judged[:-1]) == (1,)
    assert rates(judged, ("base",), 10)["base"]["value"] == pytest.approx((10 / 12) / 2, abs=1e-6)


def test_bootstrap_covers_the_mean_and_repeats_itself() -> None:
    shares = [0.0] * 60 + [1.0] * 40
    low, high = bootstrap(shares)
    assert 0.28 < low < 0.33
    assert 0.47 < high < 0.52
    assert bootstrap(shares) == (low, high)


def test_wilson_interval_at_published_and_extreme_values() -> None:
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    low, high = wilson(0, 164)
    assert low == 0.0
    assert 0.02 < high < 0.03
    assert wilson(164, 164)[1] == 1.0


def test_categories_weigh_alike_in_their_mean() -> None:
    judged = [{"task_id": f"a/{number}", "status": "pass"} for number in range(3)] + [{"task_id": "b/0", "status": "fail"}]
    told = by_category(judged, {row["task_id"]: row["task_id"][0] for row in judged})
    assert list(told) == ["a", "b", "mean"]
    assert [rate["value"] for rate in told.values()] == [1.0, 0.0, 0.5]
    assert [rate["tasks"] for rate in told.values()] == [3, 1, 4]
    assert (told["mean"]["low"], told["mean"]["high"]) == (0.5, 0.5), "drawn within a category, three that pass and one that fails"


def test_the_mean_of_categories_of_one_size_has_the_interval_of_all_tasks() -> None:
    judged = [{"task_id": f"{category}/{number}", "status": "fail"} for category in "ab" for number in range(100)]
    told = by_category(judged, {row["task_id"]: row["task_id"][0] for row in judged})
    assert (told["mean"]["value"], told["mean"]["low"], told["mean"]["high"]) == (0.0, *wilson(0, 200))


def test_a_mean_needs_every_category() -> None:
    assert list(by_category([{"task_id": "a/0", "status": "pass"}], {"a/0": "a", "b/0": "b"})) == ["a"]

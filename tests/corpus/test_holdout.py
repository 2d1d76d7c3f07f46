"""What the choice of held-out repositories promises: whole repositories, near the wanted share, the same on every machine."""

import pytest

from snow.corpus import holdout
from snow.errors import SnowError

MB = 1 << 20


def corpus(count: int = 60) -> dict[str, dict[str, int]]:
    """A giant like a standard library, one language that a single repository dominates, and `count` ordinary repositories."""
    sizes = {f"project{number}": {"Python": 20_000 + 997 * number} for number in range(count)}
    for number in range(0, count, 5):
        sizes[f"project{number}"]["C"] = 3_000 + 100 * number
    return sizes | {"python": {"Python": 10 * MB}, "torch": {"C++": 5 * MB, "Python": 5 * MB}}


def test_share_is_close_to_the_target_and_giants_stay_in_training() -> None:
    sizes = corpus()
    chosen = holdout.choose(sizes, 0.05, 400_000, seed=0)
    summary = holdout.summary(sizes, chosen)
    assert not {"python", "torch"} & set(chosen)
    assert 400_000 <= summary["Python"]["heldout"] <= 1.5 * 400_000
    assert summary["C"]["heldout"] < summary["C"]["total"] / 2
    assert summary["C++"]["heldout"] == 0


def test_choice_depends_on_the_seed_and_not_on_the_order_of_documents() -> None:
    sizes = corpus()
    assert holdout.choose(sizes, 0.05, 400_000, 0) == holdout.choose(dict(reversed(sizes.items())), 0.05, 400_000, 0)
    assert holdout.choose(sizes, 0.05, 400_000, 0) != holdout.choose(sizes, 0.05, 400_000, 1)


def test_benchmarks_language_is_held_out_even_when_every_repository_is_too_big() -> None:
    sizes = {"a": {"Python": 9 * MB}, "b": {"Python": 8 * MB}, "c": {"Go": MB}}
    assert "b" in holdout.choose(sizes, 0.01, 1000, seed=0)


@pytest.mark.parametrize("sizes", [{}, {"only": {"Python": 100}}])
def test_corpus_of_one_repository_is_refused_with_a_way_out(sizes: dict) -> None:
    with pytest.raises(SnowError, match=r"too small to hold anything out.*add sources"):
        holdout.choose(sizes, 0.05, 1000, seed=0)

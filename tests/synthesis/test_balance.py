"""Python reaches its share by dropping what is too much, and never more than that."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as some

from snow.synthesis.balance import surplus

DOCUMENTS = some.lists(some.tuples(some.sampled_from(["Python", "C", "Go", "Rust"]), some.integers(1, 3000)), max_size=60)


def kept(documents: list[tuple[str, int]], share: float, seed: int = 0) -> list[tuple[str, int]]:
    languages, sizes = [language for language, _ in documents], [size for _, size in documents]
    gone = surplus(languages, sizes, [f"key {number}" for number in range(len(documents))], share, seed)
    return [document for number, document in enumerate(documents) if number not in gone]


def bytes_of(documents: list[tuple[str, int]], python: bool) -> int:
    return sum(size for language, size in documents if (language == "Python") is python)


def test_too_much_python_is_dropped_and_the_rest_stays() -> None:
    documents = [("Python", 100)] * 50 + [("C", 100)] * 12 + [("Go", 100)] * 8
    assert Counter(language for language, _ in kept(documents, 0.5)) == {"Python": 20, "C": 12, "Go": 8}


def test_too_little_python_drops_the_others_in_proportion() -> None:
    documents = [("Python", 100)] * 10 + [("C", 100)] * 60 + [("Go", 100)] * 30 + [("Rust", 100)] * 10
    assert Counter(language for language, _ in kept(documents, 0.5)) == {"Python": 10, "C": 6, "Go": 3, "Rust": 1}


@pytest.mark.parametrize("language", ["Python", "C"])
def test_one_side_alone_is_kept_whole(language: str) -> None:
    assert len(kept([(language, 10)] * 7, 0.5)) == 7


def test_which_documents_go_depends_on_the_seed_alone() -> None:
    documents = [("Python", 100 + number) for number in range(40)] + [("C", 100)] * 10
    assert kept(documents, 0.5) == kept(documents, 0.5)
    assert kept(documents, 0.5) != kept(documents, 0.5, seed=1)


@given(DOCUMENTS, some.floats(0, 1))
def test_the_share_comes_as_close_as_whole_documents_allow(documents: list[tuple[str, int]], share: float) -> None:
    left = kept(documents, share)
    assert bool(left) == bool(documents)
    python, others = bytes_of(left, True), bytes_of(left, False)
    before_python, before_others = bytes_of(documents, True), bytes_of(documents, False)
    if not before_python or not before_others:
        assert left == documents
        return
    assert python
    assert others
    assert (python, others) == (before_python, others) or (python, others) == (python, before_others), "both sides lost documents"
    largest = max(size for _, size in documents)
    if python < before_python:
        assert abs(python - others * share / (1 - share)) <= max(largest / 2, python if python <= largest else 0) + 1e-6
    if others < before_others:
        assert abs(others - python * (1 - share) / share) <= max(largest / 2, others if others <= largest else 0) + 1e-6

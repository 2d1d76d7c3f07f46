"""What is made ahead comes in order, while the one before is used, and its errors with it."""

from __future__ import annotations

import threading

import pytest

from snow.ahead import ahead


def test_the_next_is_made_while_this_one_is_used() -> None:
    begun = [threading.Event() for _ in range(3)]

    def make(number: int) -> int:
        begun[number].set()
        return number * number

    seen = []
    for number, made in ahead(range(3), make):
        assert begun[min(number + 1, 2)].wait(10), "nothing was begun before it was asked for"
        seen.append((number, made))
    assert seen == [(0, 0), (1, 1), (2, 4)]
    assert list(ahead([], make)) == []


def test_what_fails_fails_where_it_would_have_been_used() -> None:
    found = ahead([2, 1, 0], lambda number: 2 // number)
    assert [next(found), next(found)] == [(2, 1), (1, 2)]
    with pytest.raises(ZeroDivisionError):
        next(found)

"""An answer received is never lost and never asked again: torn files, several writers, keys that do not change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from snow.errors import SnowError
from snow.synthesis.answers import Answer, AnswerStore, Model, Question, Sampling

QUESTION = Question(Model("m", "r1"), "Write code.", Sampling(0.7, 0.95, 320, 42))
ANSWER = Answer("x = 'ü\u2028'\n", "stop", 4)


def keys(count: int) -> list[str]:
    return [replace(QUESTION, prompt=f"Write {number}.").key for number in range(count)]


def test_the_key_is_the_one_answers_were_stored_under() -> None:
    assert QUESTION.key == "9f892d9391124814d7b3505482f2b1343b82e088cc6887e6079ffdb32b1c5353"


@pytest.mark.parametrize(
    "other",
    [
        replace(QUESTION, model=Model("n", "r1")),
        replace(QUESTION, model=Model("m", "r2")),
        replace(QUESTION, prompt="Write code"),
        replace(QUESTION, sampling=Sampling(0.8, 0.95, 320, 42)),
        replace(QUESTION, sampling=Sampling(0.7, 0.9, 320, 42)),
        replace(QUESTION, sampling=Sampling(0.7, 0.95, 321, 42)),
        replace(QUESTION, sampling=Sampling(0.7, 0.95, 320, 43)),
    ],
)
def test_whatever_changes_the_answer_changes_the_key(other: Question) -> None:
    assert other.key != QUESTION.key


def test_answers_survive_and_a_torn_last_line_costs_only_itself(tmp_path: Path) -> None:
    wanted = keys(3)
    with AnswerStore(tmp_path, wanted) as store:
        store.add(wanted[0], ANSWER)
        store.add(wanted[1], Answer("", "length", None))
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole + whole.replace(wanted[0].encode(), wanted[2].encode())[:90])
    with AnswerStore(tmp_path, wanted) as store:
        assert [key in store for key in wanted] == [True, True, False]
        assert store.get(wanted[0]) == ANSWER
        assert store.get(wanted[1]) == Answer("", "length", None)
        store.add(wanted[2], ANSWER)
    with AnswerStore(tmp_path, wanted) as store:
        assert len(store) == 3


def test_two_writers_at_once_keep_both_their_answers_and_the_older_file_counts(tmp_path: Path) -> None:
    first, second = keys(2)
    with AnswerStore(tmp_path, [first]) as one, AnswerStore(tmp_path, [first, second]) as two:
        one.add(first, ANSWER)
        two.add(second, ANSWER)
        two.add(first, Answer("later", "stop", 1))
    with AnswerStore(tmp_path, [first, second]) as store:
        assert store.get(first) == ANSWER
        assert store.get(second) == ANSWER


def test_only_wanted_answers_are_held(tmp_path: Path) -> None:
    with AnswerStore(tmp_path, keys(3)) as store:
        for key in keys(3):
            store.add(key, ANSWER)
    with AnswerStore(tmp_path, keys(1)) as store:
        assert len(store) == 1


def test_a_damaged_answer_is_named(tmp_path: Path) -> None:
    (key,) = keys(1)
    (tmp_path / "1.jsonl").write_text(f'{{"key":"{key}","text":\n')
    with AnswerStore(tmp_path, [key]) as store, pytest.raises(SnowError, match=r"1\.jsonl: the answer .* at byte 0 is damaged"):
        store.get(key)

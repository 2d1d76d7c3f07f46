"""The windows a text is scored by: those of the whole text, at the cost of a few kilobytes of it."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from snow.quality.encoder import Encoder
from snow.quality.windows import SECTIONS, TOKEN, Section, all_sections, length
from tests.quality.quality_jobs import corpus


def ids(window: bytes) -> list[int]:
    return np.frombuffer(window, dtype=TOKEN).tolist()


def of_whole_text(encoder: Encoder, text: str, section: Section, size: int) -> list[int]:
    """The inner ids of a section's window, by tokenising all of the text."""
    encoding = encoder.tokenizer.backend_tokenizer.encode(text, add_special_tokens=False)
    inner = size - 2
    if section == "top" or len(encoding.ids) <= inner:
        return encoding.ids[:inner]
    if section == "bottom":
        return encoding.ids[-inner:]
    centre = next((index for index, (_, stop) in enumerate(encoding.offsets) if stop > len(text) // 2), len(encoding.ids))
    start = min(max(centre - inner // 2, 0), len(encoding.ids) - inner)
    return encoding.ids[start : start + inner]


@pytest.mark.parametrize("size", [16, 128])
def test_windows_are_those_of_the_whole_text(encoder: Encoder, size: int) -> None:
    texts = [row["content"] for row in corpus()[::2]]
    found = all_sections(encoder.tokenizer, texts, SECTIONS, size)
    for text, windows in zip(texts, found, strict=True):
        for section, window in zip(SECTIONS, windows, strict=True):
            first, *inner, last = ids(window)
            assert (first, last) == (encoder.tokenizer.cls_token_id, encoder.tokenizer.sep_token_id)
            assert length(window) <= size
            assert inner == of_whole_text(encoder, text, section, size)


def test_a_short_text_has_one_window(encoder: Encoder) -> None:
    (top, middle, bottom), (empty, *_) = all_sections(encoder.tokenizer, ["def f():\n    return 1\n", " \n"], SECTIONS, 64)
    assert top == middle == bottom
    assert encoder.tokenizer.decode(ids(top)) == "[CLS] def f ( ) : return 1 [SEP]"
    assert ids(empty) == [encoder.tokenizer.cls_token_id, encoder.tokenizer.sep_token_id]


@pytest.mark.parametrize(
    ("text", "top", "bottom"),
    [
        ("\n" * 50_000 + "begin " + "x " * 500 + "end" + " " * 50_000, "begin", "end"),
        ("A" * 9000 + " begin " + "y = 1\n" * 900 + "end", "[UNK]", "end"),  # a token of 9000 characters
    ],
)
def test_slices_grow_over_what_has_no_tokens(encoder: Encoder, text: str, top: str, bottom: str) -> None:
    ((first, middle, last),) = all_sections(encoder.tokenizer, [text], SECTIONS, 32)
    assert length(first) == length(middle) == length(last) == 32
    assert encoder.tokenizer.convert_ids_to_tokens(ids(first))[1] == top
    assert encoder.tokenizer.convert_ids_to_tokens(ids(last))[-2] == bottom


def test_a_file_of_megabytes_costs_no_more_than_a_small_one(encoder: Encoder) -> None:
    large = "value = compute(first, second)\n" * 100_000
    begin = time.process_time()
    all_sections(encoder.tokenizer, [large] * 20, SECTIONS, 128)
    assert time.process_time() - begin < 1  # tokenising 60 MB takes half a minute


def test_no_text_is_no_window(encoder: Encoder) -> None:
    nothing: list[Any] = []
    assert all_sections(encoder.tokenizer, nothing, SECTIONS, 16) == []

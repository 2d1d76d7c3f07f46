"""Token windows at the top, the middle and the bottom of a text, found without tokenising the rest of it.

A file of megabytes costs as much as one of a few kilobytes: only slices around the three places are tokenised, and a slice
grows only when it turns out to hold less than a window. The windows are those of the whole text.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any, Literal

import numpy as np

Section = Literal["top", "middle", "bottom"]
Window = bytes  # token ids, special tokens included, as little-endian int32: compact and hashable
SECTIONS: tuple[Section, ...] = ("top", "middle", "bottom")  # [P 2.3]
TOKEN = np.dtype("<i4")
BLANKS = " \t\n\r"  # no token of any encoder spans one but at its beginning
BATCH = 1024  # texts tokenised together
CHARS_PER_TOKEN = 5  # of a first slice; indentation costs WordPiece no token, so code has about 4 characters to a token


def windows(tokenizer: Any, requests: Iterable[tuple[str, Section]], window_tokens: int) -> Iterator[Window]:
    """The window of each requested (text, section), in order, at most `window_tokens` ids long, [CLS] and [SEP] included.

    `tokenizer` is a fast transformers tokenizer without truncation or padding (see `encoder.load`). A text shorter than a
    window has the same window for every section; the middle window is centred on the middle character. Memory is `BATCH` texts.
    """
    remaining = iter(requests)
    while batch := list(islice(remaining, BATCH)):
        yield from _windows(tokenizer, batch, window_tokens)


def _windows(tokenizer: Any, requests: Sequence[tuple[str, Section]], window_tokens: int) -> list[Window]:
    inner = window_tokens - 2
    found: list[Window | None] = [None] * len(requests)
    pending = [(index, inner * CHARS_PER_TOKEN) for index in range(len(requests))]
    while pending:
        spans = [_span(len(requests[index][0]), requests[index][1], chars) for index, chars in pending]
        slices = [requests[index][0][start:stop] for (index, _), (start, stop) in zip(pending, spans, strict=True)]
        encodings = tokenizer.backend_tokenizer.encode_batch(slices, add_special_tokens=False)
        longer = []
        for (index, chars), (start, stop), encoding in zip(pending, spans, encodings, strict=True):
            text, section = requests[index]
            complete = (start == 0, stop == len(text))
            ids = _cut(encoding, text[start:stop], section, len(text) // 2 - start, inner, complete)
            if ids is None:
                longer.append((index, 2 * chars))
            else:
                found[index] = np.array([tokenizer.cls_token_id, *ids, tokenizer.sep_token_id], dtype=TOKEN).tobytes()
        pending = longer
    return [window for window in found if window is not None]


def all_sections(tokenizer: Any, texts: Iterable[str], sections: Sequence[Section], window_tokens: int) -> list[tuple[Window, ...]]:
    """The windows of every text, one per section in the order given."""
    flat = windows(tokenizer, ((text, section) for text in texts for section in sections), window_tokens)
    return list(zip(*[flat] * len(sections), strict=True))


def length(window: Window) -> int:
    """The number of token ids of a window."""
    return len(window) // TOKEN.itemsize


def _span(size: int, section: Section, chars: int) -> tuple[int, int]:
    """Where to slice a text of `size` characters; the whole of it when little would be left out."""
    if size <= 2 * chars:
        return 0, size
    start = {"top": 0, "middle": size // 2 - chars // 2, "bottom": size - chars}[section]
    return start, start + chars


def _cut(encoding: Any, text: str, section: Section, middle: int, inner: int, complete: tuple[bool, bool]) -> Sequence[int] | None:
    """The section's `inner` ids of a slice's encoding, or None when the slice is too short to hold them.

    `middle` is the character of the slice `text` that the middle window is centred on; `complete` says whether the slice reaches
    the beginning and the end of its text. Where it does not, what is outside the outermost blanks may be cut and is not used.
    """
    ids, offsets = encoding.ids, encoding.offsets
    if all(complete) and len(ids) <= inner:
        return ids
    left = 0 if complete[0] else min((place for place in map(text.find, BLANKS) if place >= 0), default=len(text))
    right = len(text) if complete[1] else max(map(text.rfind, BLANKS))
    first, last = bisect_left(offsets, left, key=itemgetter(0)), bisect_right(offsets, right, key=itemgetter(1))
    if section == "middle":
        start = bisect_right(offsets, middle, key=itemgetter(1)) - inner // 2
        if complete[0]:
            start = max(start, 0)
        if complete[1]:
            start = min(start, len(ids) - inner)
    else:
        start = first if section == "top" else last - inner
    return ids[start : start + inner] if start >= first and start + inner <= last else None

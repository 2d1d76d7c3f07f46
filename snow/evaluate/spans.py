"""Which tokens a measurement of likelihood scores, and in what context.

A text is scored in strides of half a window. Each stride is seen at the end of a window that holds as much of what precedes it in
its own document as fits, so every token has at least half a window of context where the document has that much before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq

from snow.tokens.stream import Stream

if TYPE_CHECKING:
    from snow.evaluate.loading import Checkpoint


@dataclass(frozen=True)
class Text:
    """A stretch of a stream that can be scored: its group (a language, a suite), where the document begins, and what is content."""

    group: str
    begin: int
    first: int  # of the scored tokens
    end: int


@dataclass(frozen=True)
class Span:
    """What one row of a batch is: token ids, of which the last `scored` are scored."""

    group: str
    ids: np.ndarray
    scored: int


def strides(text: Text, window: int) -> Iterator[tuple[int, int, int]]:
    """(begin of the context, first scored, end) of each stride of a text. The first token of a document has no context, so it is
    never scored; `window` counts the inputs, so a row holds one token more."""
    half = max(1, window // 2)
    for first in range(max(text.first, text.begin + 1), text.end, half):
        end = min(first + half, text.end)
        yield max(text.begin, end - window - 1), first, end


def spread(count: int, wanted: int) -> np.ndarray:
    """`wanted` of `count` positions at equal distances, all of them when there are no more."""
    wanted = min(count, wanted)
    return np.arange(wanted) * count // max(1, wanted)


def heldout_texts(stream: Stream, indexes: Sequence[pq.ParquetFile], byte_lengths: np.ndarray) -> list[Text]:
    """The content of every document, grouped by language, languages by name.

    A document is [context] content END, and its index row says how many bytes the content has: counted back from the end, they say
    where it begins. A token that reaches into the context belongs to it.
    """
    texts, shard_begin = [], 0
    for shard, index in zip(stream.shards, indexes, strict=True):
        for batch in index.iter_batches(columns=["language", "offset", "tokens", "bytes"]):
            for row in batch.to_pylist():
                ids = shard[row["offset"] : row["offset"] + row["tokens"]]
                backwards = byte_lengths[ids][::-1].cumsum()
                content = int(np.searchsorted(backwards, row["bytes"], side="right"))  # tokens from the end, END included
                begin = shard_begin + row["offset"]
                texts.append(Text(row["language"], begin, begin + row["tokens"] - content, begin + row["tokens"] - 1))
        shard_begin += len(shard)
    return sorted(texts, key=lambda text: (text.group, text.begin))


def heldout_spans(stream: Stream, texts: Sequence[Text], window: int, max_tokens: int) -> list[Span]:
    """About `max_tokens` scored tokens in strides spread evenly over all texts, so that every language has its share."""
    every = [(text.group, *stride) for text in texts for stride in strides(text, window)]
    chosen = [every[place] for place in spread(len(every), max(1, max_tokens // max(1, window // 2)))]
    return [Span(group, stream.read(begin, end - begin), end - first) for group, begin, first, end in chosen]


def solution_spans(group: str, prompt: str, solution: str, checkpoint: Checkpoint, window: int) -> list[Span]:
    """A solution given its prompt; both are encoded apart, as when a model completes."""
    given, scored = checkpoint.encode(prompt), checkpoint.encode_more(solution)
    ids = np.asarray(given + scored, dtype=np.int64)
    text = Text(group, 0, len(given), len(ids))
    return [Span(group, ids[begin:end], end - first) for begin, first, end in strides(text, window)]

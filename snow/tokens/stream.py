"""Packed token shards as one long sequence, read through memory maps: what training and the bits stage look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from snow.errors import SnowError


@dataclass(frozen=True)
class Stream:
    """Shards end to end. `ends[i]` is the position after the last token of shard i; `vocab_size` as `pack` recorded it."""

    shards: tuple[np.ndarray, ...]
    ends: np.ndarray
    vocab_size: int

    def __len__(self) -> int:
        return int(self.ends[-1]) if len(self.ends) else 0

    def read(self, start: int, count: int) -> np.ndarray:
        """`count` tokens from `start` as int64, across shards and around the end: a short stream repeats itself."""
        if not len(self):
            raise SnowError("the token stream is empty")
        pieces, position = [], start % len(self)
        while count:
            shard = int(np.searchsorted(self.ends, position, side="right"))
            begin = int(self.ends[shard - 1]) if shard else 0
            piece = self.shards[shard][position - begin : position - begin + count]
            pieces.append(piece)
            count -= len(piece)
            position = (position + len(piece)) % len(self)
        return np.concatenate(pieces).astype(np.int64)


def open_stream(bins: Sequence[Path], indexes: Sequence[Path]) -> Stream:
    """Map `pack`'s outputs, paired in order. Shards of different vocabularies, or bins of the wrong length, are a SnowError."""
    if len(bins) != len(indexes):
        raise SnowError(f"{len(bins)} token files but {len(indexes)} indexes; give one index per token file, in the same order")
    shards, vocabularies = [], set()
    for path, index in zip(bins, indexes, strict=True):
        dtype, vocab_size, tokens = read_header(index)
        if path.stat().st_size != tokens * dtype.itemsize:
            raise SnowError(f"{path} has {path.stat().st_size} bytes, but {index} says {tokens} tokens of {dtype}; run `snow pack` again")
        shards.append(np.memmap(path, dtype, "r") if tokens else np.empty(0, dtype))  # an empty file cannot be mapped
        vocabularies.add(vocab_size)
    if len(vocabularies) > 1:
        raise SnowError(f"token files of different vocabularies ({sorted(vocabularies)}) in one stream; pack them with one tokenizer")
    ends = np.cumsum([len(shard) for shard in shards], dtype=np.int64)
    return Stream(tuple(shards), ends, vocabularies.pop() if vocabularies else 0)


def read_header(index: Path) -> tuple[np.dtype, int, int]:
    """(dtype, vocabulary size, tokens) of one packed shard, from its index alone."""
    try:
        with pq.ParquetFile(index) as file:
            metadata = file.schema_arrow.metadata or {}
            tokens = sum(pc.sum(batch.column(0)).as_py() or 0 for batch in file.iter_batches(columns=["tokens"]))
    except (pa.ArrowInvalid, OSError) as error:
        raise SnowError(f"{index} is not a readable index ({error}); run `snow pack` again") from None
    if b"dtype" not in metadata or b"vocab_size" not in metadata:
        raise SnowError(f"{index} says neither dtype nor vocab_size; it was not written by `snow pack`")
    return np.dtype(metadata[b"dtype"].decode()).newbyteorder("<"), int(metadata[b"vocab_size"]), tokens

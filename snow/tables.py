"""Parquet tables on disk: the document schema, streaming readers and writers.

Every table is zstd Parquet that `datasets`, DuckDB and pandas open as it is. Readers yield record batches row group by row
group and writers flush a row group when it reaches `ROW_GROUP_BYTES`, so neither holds a shard in memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from snow.errors import SnowError

DOCUMENTS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),  # document_id(content)
        pa.field("repo", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("license", pa.string(), nullable=False),
        pa.field("content", pa.string(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),  # bytes of content in UTF-8
        pa.field("stars", pa.int64()),  # of the repository; null: not known
        pa.field("last_commit", pa.timestamp("ms", "UTC")),  # of the repository, or of the file where its source says that; null: not known
    ]
)
REPOSITORIES = pa.schema(  # one row for each licence that a repository's source files have, and where it was found
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("repo", pa.string(), nullable=False),
        pa.field("license", pa.string()),  # SPDX; null: none stated, or not recognised
        pa.field("found_in", pa.string()),  # files that state it; or in words, where else; null: nowhere
        pa.field("files", pa.int64(), nullable=False),  # in a wanted language
        pa.field("documents", pa.int64(), nullable=False),  # that became documents
    ]
)
ROW_GROUP_BYTES = 32 << 20
ROW_GROUP_ROWS = 10_000


def document_id(content: str) -> str:
    """The content hash that names a document: BLAKE2b of its UTF-8 bytes, 128 bits in hex."""
    return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()


def read_batches(path: Path, columns: list[str] | None = None, rows: int = 1024) -> Iterator[pa.RecordBatch]:
    """Record batches of at most `rows` rows in file order; memory is one row group. A broken file is a SnowError naming it."""
    try:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):  # of several, pyarrow keeps all that it has read in memory
                yield from file.iter_batches(batch_size=rows, row_groups=[group], columns=columns)
    except (pa.ArrowInvalid, OSError) as error:
        raise SnowError(f"{path} is not a readable Parquet file ({error}); delete it and run again") from error


def read_rows(path: Path, columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
    """Rows as dicts in file order, streamed."""
    for batch in read_batches(path, columns):
        yield from batch.to_pylist()


def read_tuples(path: Path, columns: list[str], rows: int = 1024) -> Iterator[tuple[Any, ...]]:
    """Rows as tuples of these columns in file order, streamed."""
    for batch in read_batches(path, columns, rows):
        yield from zip(*(batch.column(name).to_pylist() for name in columns), strict=True)


class TableWriter:
    """Rows in, one Parquet file out; a context manager. Row groups are bounded in rows and in approximate bytes."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path, self.schema, self.rows = path, schema, 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = pq.ParquetWriter(path, schema, compression="zstd")
        self._buffer: list[Mapping[str, Any]] = []
        self._bytes = 0

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self._flush()
        self._file.close()

    def write(self, row: Mapping[str, Any]) -> None:
        """Append one row; its keys are the schema's names."""
        self._buffer.append(row)
        self._bytes += sum(len(value) for value in row.values() if isinstance(value, (str, bytes)))
        self.rows += 1
        if len(self._buffer) >= ROW_GROUP_ROWS or self._bytes >= ROW_GROUP_BYTES:
            self._flush()

    def write_all(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Append rows as they come."""
        for row in rows:
            self.write(row)

    def _flush(self) -> None:
        if self._buffer:
            self._file.write_table(pa.Table.from_pylist([dict(row) for row in self._buffer], schema=self.schema))
            self._buffer, self._bytes = [], 0

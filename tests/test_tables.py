"""Tables are Parquet that others open, stream in bounded memory, and are the same bytes for the same rows."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from snow import tables
from snow.errors import SnowError
from snow.tables import DOCUMENTS, TableWriter, document_id, read_batches, read_rows


def rows(count: int, size: int = 100) -> Iterator[dict[str, Any]]:
    for number in range(count):
        content = f"# {number} é\n" * (size // 8)
        yield {
            "id": document_id(content),
            "repo": "repo",
            "path": f"{number}.py",
            "language": "Python",
            "license": "MIT",
            "content": content,
            "size": len(content.encode()),
            "stars": number,
            "last_commit": None if number else datetime(2020, 2, 29, 12, tzinfo=UTC),
        }


def written(path: Path, count: int, size: int = 100) -> Path:
    with TableWriter(path, DOCUMENTS) as writer:
        writer.write_all(rows(count, size))
        assert writer.rows == count
    return path


def test_rows_come_back_in_order(tmp_path: Path) -> None:
    path = written(tmp_path / "new/folder/t.parquet", 2500)
    assert list(read_rows(path)) == list(rows(2500))
    assert [row["path"] for row in read_rows(path, ["path"])] == [row["path"] for row in rows(2500)]
    assert max(batch.num_rows for batch in read_batches(path, rows=100)) == 100


def test_an_empty_table_is_a_table(tmp_path: Path) -> None:
    path = written(tmp_path / "t.parquet", 0)
    assert list(read_rows(path)) == []
    assert pq.read_schema(path).equals(DOCUMENTS)


def test_the_same_rows_are_the_same_bytes(tmp_path: Path) -> None:
    assert written(tmp_path / "a.parquet", 500).read_bytes() == written(tmp_path / "b.parquet", 500).read_bytes()


def test_other_tools_open_it(tmp_path: Path) -> None:
    path = written(tmp_path / "t.parquet", 20)
    assert pd.read_parquet(path)["content"].tolist() == [row["content"] for row in rows(20)]
    loaded = datasets.load_dataset("parquet", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    assert list(loaded) == list(rows(20))


def test_memory_is_bounded_by_the_row_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "ROW_GROUP_BYTES", 1 << 20)
    path = tmp_path / "t.parquet"
    tracemalloc.start()
    written(path, 300, 100_000)  # 30 MB
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20
    groups = pq.ParquetFile(path).metadata
    assert groups.num_row_groups > 20
    assert max(groups.row_group(number).total_byte_size for number in range(groups.num_row_groups)) < 2 << 20


@pytest.mark.parametrize("content", [b"", b"not Parquet", None])
def test_a_broken_table_is_named(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "shard.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SnowError, match=r"shard.parquet is not a readable Parquet file .*; delete it and run again"):
        list(read_rows(path))


def test_a_torn_table_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "shard.parquet", 2000)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(SnowError, match=r"shard\.parquet"):
        list(read_rows(path))


@pytest.mark.parametrize("change", [{"repo": None}, {"size": "1"}])
def test_a_row_that_does_not_fit_the_schema_is_an_error(change: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(pa.ArrowInvalid), TableWriter(tmp_path / "t.parquet", DOCUMENTS) as writer:
        writer.write(next(rows(1)) | change)


def test_a_documents_id_is_its_content() -> None:
    assert document_id("a") == document_id("a") != document_id("b")
    assert len(document_id("")) == 32

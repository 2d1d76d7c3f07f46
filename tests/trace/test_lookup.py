"""Rows are found in the row groups that can hold them, and nothing else of a table is decoded."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from snow.errors import SnowError
from snow.trace import lookup


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A hundred rows in groups of ten; `row` is a column of its own, not the number."""
    columns = {"repo": [f"repo{number // 10}" for number in range(100)], "row": list(range(1000, 1100)), "text": ["x" * 50] * 100}
    pq.write_table(pa.table(columns), tmp_path / "table.parquet", row_group_size=10)
    return tmp_path / "table.parquet"


def test_rows_are_found_by_number_across_groups(table: Path) -> None:
    assert lookup.at(table, [0, 9, 10, 99], ["row"]) == [{"row": 1000 + number, "number": number} for number in (0, 9, 10, 99)]
    with pytest.raises(SnowError, match=r"table\.parquet has no row 100"):
        lookup.at(table, [5, 100])


def test_rows_are_found_by_value_with_their_numbers(table: Path) -> None:
    found = lookup.having(table, {"repo": {"repo3", "repo7"}, "row": {1031, 1042, 1079}}, ["row"])
    assert found == [{"row": 1031, "number": 31}, {"row": 1079, "number": 79}]
    assert len(lookup.having(table, {"repo": {"repo3"}}, limit=4)) == 4
    assert lookup.having(table, {"repo": {"repo30"}}) == []


def test_groups_that_cannot_hold_a_row_are_not_read(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    whole = pq.ParquetFile.read_row_group

    def counted(self: pq.ParquetFile, group: int, columns: list[str]) -> pa.Table:
        read.append((group, columns))
        return whole(self, group, columns=columns)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", counted)
    lookup.having(table, {"row": {1055, 2000}}, ["repo"])
    assert read == [(5, ["row"]), (5, ["repo"])]


def test_a_broken_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 torn")
    with pytest.raises(SnowError, match=r"torn\.parquet is not a readable Parquet file"):
        lookup.column(tmp_path / "torn.parquet", "id")

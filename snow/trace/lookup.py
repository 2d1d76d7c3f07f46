"""Rows of the recipe's tables by what they hold or where they lie, without reading the tables.

Of a table its footer is read; of the row groups that can hold a row that is asked for, by their statistics, the columns that are
compared; and the other columns of the groups that do hold one. Tables are looked at side by side, as many as there are processors.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from snow.corpus import balance
from snow.errors import SnowError
from snow.graph import Graph
from snow.params import Params
from snow.report import receipts

Rows = list[dict[str, Any]]
Mask = Callable[[pa.Table], Any]  # a table of the compared columns -> which rows are meant
Wanted = Mapping[str, Collection[Any]]  # column -> values, one of which a row has; of every column


@dataclass(frozen=True)
class Recipe:
    """What the params ask for, and so where everything lies."""

    params: Params
    graph: Graph

    @property
    def shards(self) -> list[str]:
        """The corpus' shards in order."""
        return self.graph.instances["measure"]

    def documents(self, shard: str) -> Path:
        """The documents of a shard before any is dropped."""
        return self.read("documents", "measure", shard)

    def shard_of(self, repo: str) -> str:
        """The shard that has all documents of a repository."""
        facts = self.facts("partition")
        return self.shards[balance.shard_of(repo, facts["moved"] if facts else {}, len(self.shards))]

    def made(self, name: str, stage: str, *instance: str) -> Path:
        """An output of a job."""
        return Path(self.graph.job(stage, instance).outputs[name])

    def read(self, name: str, stage: str, *instance: str) -> Path:
        """The one input of a job that has this name."""
        return Path(self.graph.job(stage, instance).inputs[name][0])

    def redactions(self, shard: str) -> Path | None:
        """What was redacted in the documents of a shard that passed the filters, by their rows; None where params ask for no redaction."""
        return self.made("redactions", "redact", shard) if self.params.redaction else None

    def receipt(self, stage: str, *instance: str) -> dict[str, Any] | None:
        """A job's receipt, None when the job has not run. A broken one is a SnowError."""
        path = Path(self.graph.job(stage, instance).receipt)
        return dict(receipts.load([path]).all()[0]) if path.exists() else None

    def facts(self, stage: str, *instance: str) -> dict[str, Any] | None:
        """What a job's receipt tells, None as for `receipt`."""
        receipt = self.receipt(stage, *instance)
        return receipt and receipt["facts"]


def at(path: Path, numbers: Sequence[int], columns: Sequence[str] | None = None) -> Rows:
    """The rows of these numbers, ascending, with these columns (all, if None) and their `number`; SnowError where a table ends
    before one."""
    found: Rows = []
    with _opened(path) as file:
        start, left = 0, list(numbers)
        for group in range(file.num_row_groups):
            end = start + file.metadata.row_group(group).num_rows
            here = [number for number in left if number < end]
            if here:
                table = file.read_row_group(group, columns=columns and list(columns)).take([number - start for number in here])
                found += _numbered(table, here)
            start, left = end, left[len(here) :]
        if left:
            raise SnowError(f"{path} has no row {left[0]}; where another table here names it, run `snakemake all` so that they agree")
    return found


def having(path: Path, wanted: Wanted, columns: Sequence[str] | None = None, limit: int | None = None) -> Rows:
    """The rows, `limit` at most, that have one of the wanted values in every column of `wanted`; else as `at`."""

    def mask(table: pa.Table) -> Any:
        masks = [pc.is_in(table[name], pa.array(list(values), table.schema.field(name).type)) for name, values in wanted.items()]
        return functools.reduce(pc.and_, masks)

    return where(path, list(wanted), mask, columns, limit, lambda group: all(_possible(group, *one) for one in wanted.items()))


def where(
    path: Path,
    compared: Sequence[str],
    mask: Mask,
    columns: Sequence[str] | None = None,
    limit: int | None = None,
    possible: Callable[[Any], bool] = lambda group: True,
) -> Rows:
    """The rows, `limit` at most, that `mask` picks by the compared columns, with `columns` (all, if None) and their `number`; none of a
    table that does not exist."""
    found: Rows = []
    if not path.exists():
        return found
    with _opened(path) as file:
        start = 0
        for group in range(file.num_row_groups):
            about = file.metadata.row_group(group)
            if possible(about):
                table = file.read_row_group(group, columns=list(compared))
                rows = pc.indices_nonzero(mask(table))[: None if limit is None else limit - len(found)]
                if len(rows):
                    table = file.read_row_group(group, columns=columns and list(columns))
                    found += _numbered(table.take(rows), [start + number for number in rows.to_pylist()])
            if limit is not None and len(found) >= limit:
                break
            start += about.num_rows
    return found


def column(path: Path, name: str) -> pa.ChunkedArray:
    """One column of a table."""
    with _opened(path) as file:
        return file.read(columns=[name])[name]


def over(paths: Sequence[Path], look: Callable[[Path], Rows]) -> list[Rows]:
    """What `look` finds in each table, in the order of the tables."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(look, paths))


def _numbered(table: pa.Table, numbers: Sequence[int]) -> Rows:
    return [{**row, "number": number} for row, number in zip(table.to_pylist(), numbers, strict=True)]


def _possible(group: Any, name: str, values: Collection[Any]) -> bool:
    """Whether a row group can hold one of the values in a column, by its statistics."""
    for index in range(group.num_columns):
        about = group.column(index)
        if about.path_in_schema == name and about.statistics is not None and about.statistics.has_min_max:
            return any(about.statistics.min <= value <= about.statistics.max for value in values)
    return True


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except (pa.ArrowInvalid, OSError) as error:
        raise SnowError(f"{path} is not a readable Parquet file ({error}); delete it and run again") from error

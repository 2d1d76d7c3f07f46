"""Source kinds `parquet` and `jsonl`: tables with one document per row; those of `huggingface` are read here too.

`fields` maps our columns to theirs: `content` is required, the others of `COLUMNS` are used when given. A dotted name reaches into
nested values (`meta.language`); `=Python` is a constant for every row. A row without a repository of its own is a repository by
itself; a row without a language gets the one its path says.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from snow.corpus import units
from snow.corpus.json_rows import Numbered, json_rows
from snow.corpus.units import Refusal, Row, Table, Unit
from snow.errors import SnowError

COLUMNS = ("content", "repo", "path", "language", "license", "stars", "last_commit")
SOFTWARE_HERITAGE = "blob_id"  # a column of The Stack v2, which has this in place of the content
FETCH = "Software Heritage has: fetch them (docs/sources.md) and give the tables as kind parquet"
BATCH_ROWS = 256
MOST = 1 << 31  # stars: more are taken as these


def check_fields(source: str, fields: Mapping[str, str]) -> None:
    """SnowError unless `fields` names the content, only known columns, and something that tells the language."""
    unknown = sorted(fields.keys() - set(COLUMNS))
    if unknown:
        raise SnowError(f"source {source}: fields.{unknown[0]} is not a column; the columns are {', '.join(COLUMNS)}")
    if "content" not in fields:
        raise SnowError(f"source {source}: fields.content is missing; name the field that holds the code")
    if not fields.keys() & {"language", "path"}:
        raise SnowError(
            f'source {source}: nothing tells the language; map fields.language or fields.path, or state it as in language: "=Python"'
        )


def file_units(source: str, kind: str, paths: tuple[str, ...], fields: Mapping[str, str]) -> Iterator[Unit]:
    """One unit per Parquet or JSON file; SnowError when one is missing."""
    check_fields(source, fields)
    files = list(units.existing_files(source, "file", paths))
    for path, name in zip(files, units.names(files), strict=True):
        yield Unit(name, functools.partial(file_table, kind, path, name, f"source {source}: {path}", fields))


def file_table(kind: str, path: Path, unit: str, about: str, fields: Mapping[str, str]) -> Table:
    """The rows of a Parquet or else a JSON file; SnowError `about` it when it cannot be read."""

    def read() -> Iterator[Row | Refusal]:
        values = _parquet(path, about, fields) if kind == "parquet" else json_rows(path, about)
        return table_rows(values, about, unit, fields)

    return Table(read)


def first_line(error: Exception) -> str:
    """What an error says, without what its library adds below."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _parquet(path: Path, about: str, fields: Mapping[str, str]) -> Iterator[Numbered]:
    number = 0
    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            mapped = [name for name in fields.values() if not name.startswith("=")]
            wanted = dict.fromkeys(name if name in names else name.partition(".")[0] for name in mapped)
            missing = [name for name in wanted if name not in names]
            if missing:
                ids = f"; {SOFTWARE_HERITAGE} names files that {FETCH}" if SOFTWARE_HERITAGE in names and missing[0] == "content" else ""
                raise SnowError(f"{about} has no column {missing[0]}; its columns are {', '.join(names)}{ids}")
            for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=list(wanted)):
                for row in _values(batch):
                    number += 1
                    yield number, row
    except (pa.ArrowException, OSError) as error:
        raise SnowError(f"{about} is not a readable Parquet file ({first_line(error)}); replace it") from error


def _values(batch: pa.RecordBatch) -> Iterator[dict[str, Any] | Refusal]:
    """The rows of a batch; one with a text that is no UTF-8, which some writers let through, is refused alone."""
    try:
        yield from batch.to_pylist(maps_as_pydicts="lossy")
    except UnicodeDecodeError:  # before the first was given
        for index in range(batch.num_rows):
            try:
                yield from batch.slice(index, 1).to_pylist(maps_as_pydicts="lossy")
            except UnicodeDecodeError:
                yield Refusal(units.INVALID_UTF8)


def table_rows(values: Iterable[Numbered], about: str, unit: str, fields: Mapping[str, str]) -> Iterator[Row | Refusal]:
    """Rows of a data file by `fields`; a row without content, or with content that is no text, is a Refusal naming `file:row`.

    Raises SnowError `about` a file at whose end no row had content, or none with content a path or a language.
    """
    seen = texts = broken = 0
    located = False
    held = ""  # instead of content, by the first row
    for number, value in values:
        where = f"{unit}:{number}"
        seen += 1
        if isinstance(value, Refusal):
            broken += value.reason == units.BROKEN_ROW
            held = held or "no JSON object"
            yield Refusal(value.reason, where)
            continue
        content = _lookup(value, fields["content"])
        if not isinstance(content, (str, bytes)):
            broken += 1
            held = held or _held(value, fields["content"])
            yield Refusal(units.BROKEN_ROW, where)
            continue
        texts += 1
        repo, path, language = (_text(_lookup(value, fields.get(column))) for column in ("repo", "path", "language"))
        located = located or path is not None or language is not None
        license = _statement(_lookup(value, fields.get("license")))
        stars, last_commit = _count(_lookup(value, fields.get("stars"))), _date(_lookup(value, fields.get("last_commit")))
        yield Row(content, repo or where, path or str(number), language, license, stars, last_commit)
    if seen and broken == seen:
        raise SnowError(
            f"{about} has no text in {fields['content']!r} in any of its {seen} rows, the first holds {held}; correct fields.content, or "
            "convert it to a row per document"
        )
    if texts and not located:
        raise SnowError(f"{about} has neither a path nor a language in any of its {texts} rows; correct fields.path or fields.language")


def _held(row: Mapping[str, Any], name: str) -> str:
    """What a row has where `name`, or as much of it as is there, leads to no text."""
    value: Any = row
    reached: list[str] = []
    for part in (name,) if name in row else name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            break
        value = value[part]
        reached.append(part)
    if isinstance(value, Mapping):
        what = "the fields " + ", ".join(map(str, value))
    else:
        what = "null" if value is None else "a list" if isinstance(value, list) else f"a {type(value).__name__}"
    return f"{what} in {'.'.join(reached)}" if reached else what


def _lookup(row: Mapping[str, Any], name: str | None) -> Any:
    if name is None:
        return None
    if name.startswith("="):
        return name[1:]
    if name in row:
        return row[name]
    value: Any = row
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _text(value: Any) -> str | None:
    return str(value) if value is not None and not isinstance(value, (list, Mapping)) else None


def _statement(value: Any) -> tuple[str, ...] | None:
    """A licence field as its statements: a text, or a list of which all hold."""
    if isinstance(value, list):
        return tuple(str(item) for item in value if item)
    text = _text(value)
    return (text,) if text else None


def _count(value: Any) -> int | None:
    """A number of stars; some tables have it as a float or a text."""
    try:
        return min(int(value), MOST) if value is not None and float(value) >= 0 else None
    except (TypeError, ValueError, OverflowError):
        return None


def _date(value: Any) -> datetime | None:
    """A date as Parquet or JSON has it: a time, ISO 8601, or seconds since 1970; UTC where it does not say."""
    try:
        if isinstance(value, (int, float)):
            return datetime.fromtimestamp(value, UTC)
        found = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None

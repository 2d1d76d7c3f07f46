"""A thousand malformed inputs, always the same: each is counted by reason or refused in one sentence; no traceback, no lost shard."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import random
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from collecting import MIT, collect, repository

from snow.errors import SnowError

FIELDS = {"content": "content", "repo": "repo", "path": "path", "language": "language", "license": "license"}
CODE = ("def f(x):\n    return x + 1\n", "# é\nprint('名前')\n", "class A:\n    pass\n" * 40)
ROWS = [
    {"content": code, "repo": f"o/r{index % 3}", "path": f"d/{index}.py", "language": "Python", "license": "MIT"}
    for index, code in enumerate(CODE * 4)
]
# What may stand where a text is expected.
VALUES = (
    *(
        None,
        7,
        -1.5,
        True,
        [],
        ["a"],
        {},
        {"text": "x"},
        "",
        " ",
        "\0",
        "\ud800",
        "\udcff\udc00",
        "x" * 3_000_000,
        10**400,
        "a\r\rb",
        "../../x",
    ),
    *("/etc/passwd", "é" * 5000, "\u202e\ufeff", "MIT OR", "free for all", ["MIT", 3], b"\xff\xfe\x00", float("inf"), "\x85\u2028"),
)


def lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def parquet(rows: list[dict[str, Any]], **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink, **options)
    return sink.getvalue()


def packed(mode: str) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in {"p-1/LICENSE": MIT, **{f"p-1/{index}.py": code for index, code in enumerate(CODE)}}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content.encode())
            archive.addfile(member, io.BytesIO(content.encode()))
    return sink.getvalue()


def zipped() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("LICENSE", MIT)
        for index, code in enumerate(CODE):
            archive.writestr(f"{index}.py", code)
    return sink.getvalue()


NOTEBOOK = {
    "cells": [{"cell_type": "code", "source": ["x = 1\n", "y = 2"], "outputs": []}, {"cell_type": "markdown", "source": "# a"}],
    "metadata": {"language_info": {"name": "python"}},
    "nbformat": 4,
}

WHOLE: dict[str, tuple[str, Callable[[], bytes]]] = {  # name of a file: its source's kind, its content
    "a.jsonl": ("jsonl", lambda: lines(ROWS)),
    "gzip.jsonl.gz": ("jsonl", lambda: gzip.compress(lines(ROWS), mtime=0)),
    "xz.jsonl.xz": ("jsonl", lambda: lzma.compress(lines(ROWS))),
    "zstd.jsonl.zst": ("jsonl", lambda: pa.compress(lines(ROWS), "zstd", asbytes=True)),
    "array.json": ("jsonl", lambda: json.dumps(ROWS, indent=1).encode()),
    "wide.jsonl": ("jsonl", lambda: lines(ROWS).decode().encode("utf-16")),
    "a.parquet": ("parquet", lambda: parquet(ROWS)),
    "groups.parquet": ("parquet", lambda: parquet(ROWS, row_group_size=2, compression="zstd")),
    "plain.parquet": ("parquet", lambda: parquet(ROWS, compression="none", use_dictionary=False)),
    "p.tar": ("archive", lambda: packed("w")),
    "p.tar.gz": ("archive", lambda: packed("w:gz")),
    "p.tar.xz": ("archive", lambda: packed("w:xz")),
    "p.tar.bz2": ("archive", lambda: packed("w:bz2")),
    "p.zip": ("archive", zipped),
    "m.py": ("folder", lambda: CODE[2].encode()),
    "n.ipynb": ("folder", lambda: json.dumps(NOTEBOOK).encode()),
    "LICENSE": ("folder", lambda: MIT.encode()),
    "package.json": ("folder", lambda: b'{"name": "x", "license": "MIT"}'),
}


def cut(data: bytes, chosen: random.Random) -> bytes:
    return data[: chosen.randrange(len(data))]


def flipped(data: bytes, chosen: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chosen.choice((1, 3, 30))):
        changed[chosen.randrange(len(changed))] ^= 1 << chosen.randrange(8)
    return bytes(changed)


def zeroed(data: bytes, chosen: random.Random) -> bytes:
    start = chosen.randrange(len(data))
    end = min(len(data), start + chosen.choice((1, 16, 300, len(data))))
    return data[:start] + b"\0" * (end - start) + data[end:]


def grown(data: bytes, chosen: random.Random) -> bytes:
    start = chosen.randrange(len(data) + 1)
    extra = chosen.choice(
        (chosen.randbytes(40), b"[" * 50_000, b'{"a":' * 20_000, b"(" * 30_000, b"\r" * 20, b"\xef\xbb\xbf", b"\xff\xfe", b"9" * 5000)
    )
    return data[:start] + extra + data[start:]


def shuffled(data: bytes, chosen: random.Random) -> bytes:
    one, two = sorted(chosen.randrange(len(data)) for _ in range(2))
    return chosen.choice((data[two:] + data[:one], data[:two] + data[one:], data[one:two] + data, data + data))


def encoded(data: bytes, chosen: random.Random) -> bytes:
    return data.decode("latin-1").encode(chosen.choice(("utf-16", "utf-32", "utf-8", "utf-7", "utf-16-be")))


BREAK = (cut, flipped, zeroed, grown, shuffled, encoded)


def outcome(folder: Path, source: dict[str, Any]) -> str:
    """What became of one input: the reasons of what was left out, or that it was refused. `collect` itself accounts for every file."""
    try:
        _, facts = collect(folder, source)
    except SnowError as error:
        sentence = str(error)
    else:
        return " ".join(sorted(facts["dropped"])) or "taken"
    assert "source0" in sentence
    assert "\n" not in sentence
    assert len(sentence) < 1500
    return "refused"


@pytest.mark.parametrize("name", WHOLE)
def test_broken_bytes_are_counted_or_refused(name: str, tmp_path: Path) -> None:
    kind, whole = WHOLE[name]
    chosen, data, seen = random.Random(name), whole(), Counter[str]()
    for number in range(42):
        content = BREAK[number % len(BREAK)](data, chosen)
        place = tmp_path / str(number)
        if kind == "folder":
            repository(place / "in" / "repo", {"whole.py": CODE[0], name: content}, None if name in ("LICENSE", "package.json") else MIT)
            source = {"kind": kind, "paths": [str(place / "in")]}
        else:
            place.mkdir()
            (place / name).write_bytes(content)
            source = {"kind": kind, "paths": [str(place / name)]} | ({} if kind == "archive" else {"fields": FIELDS})
        seen[outcome(place, source)] += 1
    assert seen.keys() != {"taken"} or kind == "folder", seen


@pytest.mark.parametrize("field", FIELDS)
def test_rows_of_other_types_are_counted(field: str, tmp_path: Path) -> None:
    for number, value in enumerate(VALUES):
        if isinstance(value, bytes):
            continue
        place = tmp_path / str(number)
        place.mkdir()
        broken = [{**ROWS[0], field: value}, dict.fromkeys(FIELDS, value), {"other": value}, *ROWS[1:4]]
        (place / "a.jsonl").write_bytes(lines(broken) + json.dumps(value).encode() + b"\nnull\n[]\n{\n")
        rows, facts = collect(place, {"kind": "jsonl", "paths": [str(place / "a.jsonl")], "fields": FIELDS})
        assert {row["path"] for row in rows} >= {row["path"] for row in ROWS[1:4]}, "the sound rows beside them are lost"
        assert facts["dropped"]["broken_row"] >= 4


COLUMNS: tuple[Any, ...] = (
    pa.array([1, 2, None]),
    pa.array([[1], [], None]),
    pa.array([["a"], ["b", "c"], None]),
    pa.array([{"a": "x"}, None, {"a": None}]),
    pa.array([b"\xff\xfe", b"x = 1\n", None]),
    pa.array([b"\xff\xfe", b"x = 1\n", None], pa.large_binary()),
    pa.array(["x = 1\n", "", None], pa.large_string()),
    pa.array(["x = 1\n", "y", None], pa.string_view()),
    pa.array(["x = 1\n", "x = 1\n", None]).dictionary_encode(),
    pa.nulls(3),
    pa.array([True, False, None]),
    pa.array([1.5, float("nan"), None]),
    pa.array([Decimal("1.5"), None, Decimal(2)]),
    pa.array([0, 1, None], pa.timestamp("ns")),
    pa.array([0, 1, None], pa.duration("s")),
    pa.array([b"abcd", b"\0\0\0\0", None], pa.binary(4)),
    pa.array([[("k", 1)], [], None], pa.map_(pa.string(), pa.int64())),
)


def test_a_text_that_is_no_utf8_costs_its_row_alone(tmp_path: Path) -> None:
    data = parquet(ROWS, compression="none", use_dictionary=False)
    where = data.index(b"class A", data.index(b"class A") + 1)
    (tmp_path / "a.parquet").write_bytes(data[:where] + b"\xa0" + data[where + 1 :])
    rows, facts = collect(tmp_path, {"kind": "parquet", "paths": [str(tmp_path / "a.parquet")], "fields": FIELDS})
    assert facts["dropped"]["invalid_utf8"] == 1
    assert {row["path"] for row in rows} == {row["path"] for row in ROWS} - {"d/2.py"} or len(rows) == len(ROWS) - 1


@pytest.mark.parametrize("field", FIELDS)
def test_columns_of_other_types_are_counted_or_refused(field: str, tmp_path: Path) -> None:
    for number, column in enumerate(COLUMNS):
        place = tmp_path / str(number)
        place.mkdir()
        sound = {name: pa.array([row[name] for row in ROWS[:3]]) for name in FIELDS}
        pq.write_table(pa.table({**sound, field: column}), place / "a.parquet", compression="none")
        outcome(place, {"kind": "parquet", "paths": [str(place / "a.parquet")], "fields": FIELDS})

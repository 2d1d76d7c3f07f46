"""Parquet and JSON tables and hub data sets as sources."""

import bz2
import gzip
import json
import lzma
import re
import sys
import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from collecting import collect

from snow.corpus import json_rows
from snow.corpus.units import Refusal
from snow.errors import SnowError

PY = "def answer():\n    return 42\n"
ROWS = [
    {"text": PY, "meta": {"repo": "o/r", "file": "a.py"}, "lang": "python", "lic": ["MIT", "Apache-2.0"]},
    {"text": "f();\n", "meta": {"repo": "o/r", "file": "b.js"}, "lang": "JavaScript", "lic": ["MIT"]},
    {"text": "x = 1\n", "meta": {"repo": "o/s", "file": "c.py"}, "lang": "python", "lic": ["MIT", "GPL-3.0-only"]},
    {"text": "x = 2\n", "meta": {"repo": "o/s", "file": "d.py"}, "lang": "python", "lic": []},
    {"text": "x = 3\n", "meta": {"repo": "o/s", "file": "e.bf"}, "lang": "brainfuck", "lic": ["MIT"]},
]
FIELDS = {"content": "text", "repo": "meta.repo", "path": "meta.file", "language": "lang", "license": "lic"}


def test_parquet_and_jsonl_give_the_same_documents(tmp_path):
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "rows.parquet")
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    (tmp_path / "rows.jsonl").write_text(lines)
    with gzip.open(tmp_path / "rows.jsonl.gz", "wt") as stream:
        stream.write(lines)
    for name in ("rows.parquet", "rows.jsonl", "rows.jsonl.gz"):
        documents, facts = collect(
            tmp_path, {"kind": "parquet" if name.endswith("parquet") else "jsonl", "paths": [str(tmp_path / name)], "fields": FIELDS}
        )
        assert [(row["repo"], row["path"], row["language"], row["license"]) for row in documents] == [
            ("o/r", "a.py", "Python", "MIT AND Apache-2.0"),
            ("o/r", "b.js", "JavaScript", "MIT"),
        ]
        assert facts["dropped"] == {"language": 1, "license": 2}
        assert facts["licenses_dropped"] == {"not_allowed": {"MIT AND GPL-3.0-only": 1}, "unknown": {"nothing stated": 1}}


def test_a_stated_licence_is_of_the_rows_that_say_none(tmp_path):
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    source = {"kind": "jsonl", "paths": [str(tmp_path / "rows.jsonl")], "fields": FIELDS, "license": "ISC"}
    documents, facts = collect(tmp_path, source)
    assert [row["license"] for row in documents] == ["MIT AND Apache-2.0", "MIT", "ISC"]
    assert facts["licenses_dropped"]["not_allowed"] == {"MIT AND GPL-3.0-only": 1}
    documents, _ = collect(tmp_path, {**source, "license_precedence": "override"})
    assert [row["license"] for row in documents] == ["ISC"] * 4
    table = pq.read_table(tmp_path / "repositories/00000.parquet").to_pylist()
    assert [(row["repo"], row["license"], row["found_in"], row["documents"]) for row in table] == [
        ("o/r", "ISC", "license of the source", 2),
        ("o/s", "ISC", "license of the source", 2),
    ]


def test_rows_without_repository_or_language_columns(tmp_path):
    (tmp_path / "code.jsonl").write_text('{"code": "x = 1"}\n{"code": "y = 2"}\n')
    source = {
        "kind": "jsonl",
        "paths": [str(tmp_path / "code.jsonl")],
        "license": "MIT",
        "fields": {"content": "code", "language": "=Python"},
    }
    documents, _ = collect(tmp_path, source)
    assert [(row["repo"], row["language"]) for row in documents] == [("code.jsonl:1", "Python"), ("code.jsonl:2", "Python")]


def test_broken_rows_are_counted_and_the_first_are_named(tmp_path):
    lines = [
        b'{"text": "x = 1", "path": "a.py"}',
        b"{broken",
        b"",
        b'["a list"]',
        b'{"path": "no_content.py"}',
        b'{"text": 7, "path": "number.py"}',
        b'{"text": "half \\ud800", "path": "surrogate.py"}',
        b'{"text": "x", "path": "half \\ud800.py"}',
        b'{"text": "nul \\u0000", "path": "nul.py"}',
        b'{"text": "", "path": "empty.py"}',
        b'{"text": "' + b"y" * (70 << 20) + b'", "path": "long.py"}',
        b"\xff\xfe",
        b'{"text": "x = 2", "path": "z.py"}',
    ]
    (tmp_path / "rows.jsonl").write_bytes(b"\n".join(lines))
    del lines
    tracemalloc.start()
    source = {"kind": "jsonl", "paths": [str(tmp_path / "rows.jsonl")], "license": "MIT", "fields": {"content": "text", "path": "path"}}
    documents, facts = collect(tmp_path, source)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [row["path"] for row in documents] == ["a.py", "z.py"]
    assert facts["dropped"] == {"binary": 1, "broken_row": 5, "empty": 1, "invalid_path": 1, "invalid_utf8": 1, "too_large": 1}
    assert facts["broken_rows"] == ["rows.jsonl:2", "rows.jsonl:4", "rows.jsonl:5", "rows.jsonl:6", "rows.jsonl:11"]
    assert peak < 3 * json_rows.ROW_LIMIT


@pytest.mark.parametrize(
    ("kind", "content", "fields", "sentence"),
    [
        ("parquet", b"PAR1 not really", {"content": "text", "path": "path"}, "rows is not a readable Parquet file"),
        ("parquet", None, {"content": "body", "language": "lang"}, "rows has no column body; its columns are text, meta, lang, lic"),
        (
            "jsonl",
            b'{"code": "x"}\n',
            {"content": "text", "path": "path"},
            "rows has no text in 'text' in any of its 1 rows, the first holds the fields code; correct fields.content",
        ),
        ("jsonl", b"", {"path": "path"}, "fields.content is missing"),
        ("jsonl", b"", {"content": "text"}, "nothing tells the language"),
        ("jsonl", b"", {"content": "text", "lang": "x"}, "fields.lang is not a column"),
    ],
)
def test_a_table_that_cannot_be_used_is_named(tmp_path, kind, content, fields, sentence):
    path = tmp_path / "rows"
    if content is None:
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    else:
        path.write_bytes(content)
    with pytest.raises(SnowError, match=f"source source0.*{sentence}"):
        collect(tmp_path, {"kind": kind, "paths": [str(path)], "fields": fields})


def _zstd(data):
    return pa.compress(data, codec="zstd", asbytes=True)


TEXT = {"content": "text", "path": "path"}
CODE = [{"text": f"name = 'Bj\u00f6rn {index} \u732b'\n", "path": f"{index}.py"} for index in range(5)]
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in CODE)
ARRAY = json.dumps(CODE, ensure_ascii=False)


@pytest.mark.parametrize(
    "content",
    [
        _zstd(LINES.encode()),
        _zstd(LINES[:90].encode()) + _zstd(LINES[90:].encode()),  # two frames
        gzip.compress(LINES.encode(), mtime=0),
        bz2.compress(LINES.encode()),
        lzma.compress(ARRAY.encode()),
        ARRAY.encode(),
        json.dumps(CODE, indent=2).encode("utf-8-sig"),
        f"\r\n {ARRAY} \n".encode("utf-16"),
        LINES.replace("\n", "\r").encode(),
        b"".join(line.encode("utf-8-sig") for line in LINES.splitlines(keepends=True)),
        LINES.replace("\n", "\r\n").encode("utf-8-sig"),
        LINES.encode("utf-16"),
        gzip.compress(LINES.encode("utf-16-be"), mtime=0),
        LINES.encode("utf-32"),
    ],
    ids=lambda content: str(len(content)),
)
def test_json_is_read_whatever_its_form(tmp_path, content):
    (tmp_path / "rows.jsonl").write_bytes(content)
    source = {"kind": "jsonl", "paths": [str(tmp_path / "rows.jsonl")], "license": "MIT", "fields": TEXT}
    documents, facts = collect(tmp_path, source)
    assert [(row["path"], row["content"]) for row in documents] == [(row["path"], row["text"]) for row in CODE]
    assert not facts["dropped"]


def test_a_large_array_is_streamed(tmp_path, monkeypatch):
    monkeypatch.setattr(json_rows, "READ_AT_ONCE", 7)  # every element is read in several pieces
    values = [{"text": "x" * index, "number": index, "path": "]},{["} for index in range(20)]
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([*values, 12345, "], [", []]))
    found = list(json_rows.json_rows(path, "it"))
    assert found == [*enumerate(values, start=1), *((number, Refusal("broken_row")) for number in (21, 22, 23))]
    path.write_text(" [ ] ")
    assert not list(json_rows.json_rows(path, "it"))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (gzip.compress(LINES.encode() * 1000, mtime=0)[:200], "cannot be read to its end (Compressed file ended"),
        (_zstd(LINES.encode() * 1000)[:-9], "cannot be read to its end (Truncated compressed stream)"),
        (LINES.encode("utf-16")[:-1], "cannot be read to its end ('utf-16"),
        (ARRAY[:-9].encode(), "is no whole JSON array: element 5 is cut, broken or larger than 32 MB"),
        (ARRAY.replace("}, {", "}, oops {", 1).encode(), "is no whole JSON array: element 2 is cut"),
        (b"[" * 100_000, "is no whole JSON array: element 1 is cut"),
        (ARRAY.encode() * 2, "goes on behind its JSON array"),
        (b"PK\x03\x04" + b"\xff" * 99, "has no text in 'text' in any of its 1 rows, the first holds no JSON object"),
        (json.dumps({"rows": CODE}).encode(), "has no text in 'text' in any of its 1 rows, the first holds the fields rows"),
        (
            json.dumps({"text": {"code": ["x"]}}).encode(),
            "has no text in 'text' in any of its 1 rows, the first holds the fields code in text",
        ),
        (json.dumps({"text": None}).encode(), "has no text in 'text' in any of its 1 rows, the first holds null in text"),
        (json.dumps({"text": "x = 1", "path": ["a.py"]}).encode(), "has neither a path nor a language in any of its 1 rows"),
    ],
    ids=lambda given: str(len(given)),
)
def test_json_that_cannot_be_used_is_named(tmp_path, content, sentence):
    (tmp_path / "rows.jsonl").write_bytes(content)
    source = {"kind": "jsonl", "paths": [str(tmp_path / "rows.jsonl")], "license": "MIT", "fields": TEXT}
    with pytest.raises(SnowError, match=rf"source source0: .*rows\.jsonl {re.escape(sentence)}"):
        collect(tmp_path, source)


def test_nested_parquet_columns_are_read_or_named(tmp_path):
    files = [{"content": row["text"], "path": row["path"]} for row in CODE]
    table = pa.table(
        {
            "struct": pa.array(files),
            "list": pa.array([files] * 5),
            "map": pa.array([list(file.items()) for file in files], pa.map_(pa.string(), pa.string())),
            "dictionary": pa.array([file["content"] for file in files]).dictionary_encode(),
        }
    )
    pq.write_table(table, tmp_path / "rows.parquet")
    source = {"kind": "parquet", "paths": [str(tmp_path / "rows.parquet")], "license": "MIT"}
    for content in ("struct.content", "map.content", "dictionary"):
        documents, _ = collect(tmp_path, {**source, "fields": {"content": content, "path": "map.path"}})
        assert [(row["path"], row["content"]) for row in documents] == [(row["path"], row["text"]) for row in CODE]
    with pytest.raises(
        SnowError, match=r"no text in 'list\.content' in any of its 5 rows, the first holds a list in list; correct fields\.content"
    ):
        collect(tmp_path, {**source, "fields": {"content": "list.content", "path": "map.path"}})


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """`datasets` with its cache in the test's folder and no attempts to reach the hub."""
    datasets = pytest.importorskip("datasets", reason="kind huggingface needs datasets, which only the dev environment has")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "hf"))
    return datasets


def test_a_hub_data_set_is_streamed_file_by_file(tmp_path, offline):
    folder = tmp_path / "set"
    (folder / "data").mkdir(parents=True)
    for index in range(3):
        table = pa.Table.from_pylist([{**row, "text": f"{row['text']}// {index}\n"} for row in ROWS])
        pq.write_table(table, folder / "data" / f"train-{index:05d}-of-00003.parquet")
    source = {"kind": "huggingface", "paths": [str(folder)], "fields": FIELDS}
    documents, facts = collect(tmp_path, source)
    assert len(documents) == 6
    assert facts["units"]["read"] == 3
    assert facts["dropped"] == {"language": 3, "license": 6}
    parts = [collect(tmp_path / "parts", source, shards=2, shard=shard)[0] for shard in range(2)]
    assert sorted(row["id"] for part in parts for row in part) == sorted(row["id"] for row in documents)
    assert [len(part) % 2 for part in parts] == [0, 0]  # whole files
    with pytest.raises(SnowError, match=r"the data set .*set has no files of a split test, but of train; correct it"):
        collect(tmp_path, {**source, "split": "test"})


def test_a_hub_data_set_that_cannot_be_reached_is_named(tmp_path, offline):
    with pytest.raises(SnowError, match=r"source0: the data set nobody/nothing \(.*\) cannot be loaded"):
        collect(tmp_path, {"kind": "huggingface", "paths": ["nobody/nothing"], "fields": FIELDS})


def test_without_datasets_the_hub_source_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(SnowError, match="needs the package datasets, which this environment lacks"):
        collect(tmp_path, {"kind": "huggingface", "paths": ["bigcode/the-stack"], "fields": FIELDS})

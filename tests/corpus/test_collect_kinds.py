"""Git repositories, archives, tables and hub data sets as sources."""

import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
import threading
import tracemalloc
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from collecting import MIT, collect, repository

from snow.corpus import git, rows
from snow.corpus.units import Repository
from snow.errors import SnowError

PY = "def answer():\n    return 42\n"
FILES = {"pkg/a.py": PY, "pkg/b.js": "f();\n", "pkg/c.py": PY + "# c\n", "pkg/binary.py": b"\0", "README.md": "read\n"}


def _git(folder, *arguments):
    identity = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    environment = {**os.environ, **identity, "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(
        ["git", "-c", "protocol.file.allow=always", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def remote(tmp_path):
    """A repository `remote` with two commits, the first tagged v1; a link and a submodule in the second."""
    root = repository(tmp_path / "remote", FILES)
    _git(root, "init", "--quiet", "--initial-branch=main")
    _git(root, "add", ".")
    _git(root, "commit", "--quiet", "-m", "one")
    _git(root, "tag", "v1")
    (root / "link.py").symlink_to("pkg/a.py")
    (root / "new.py").write_text("new = True\n")
    _git(root, "add", ".")
    _git(root, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},module.py")
    _git(root, "commit", "--quiet", "-m", "two")
    return root


def test_git_reads_the_revision_and_records_the_commit(tmp_path, remote):
    first, second = _git(remote, "rev-parse", "v1"), _git(remote, "rev-parse", "main")
    source = {"kind": "git", "paths": [str(remote)]}
    rows_, facts = collect(tmp_path / "head", source)
    assert [(row["repo"], row["path"], row["license"]) for row in rows_] == [
        ("remote", path, "MIT") for path in ("new.py", "pkg/a.py", "pkg/b.js", "pkg/c.py")
    ]
    assert facts["dropped"] == {"binary": 1, "language": 2, "not_a_file": 2}
    assert facts["commits"] == {"remote": second}
    for revision in ("v1", first, first[:10]):
        rows_, facts = collect(tmp_path / revision, {**source, "revision": revision})
        assert [row["path"] for row in rows_] == ["pkg/a.py", "pkg/b.js", "pkg/c.py"]
        assert facts["commits"] == {"remote": first}


def test_git_reads_a_clone_url_and_limits_files(tmp_path, remote):
    rows_, _ = collect(tmp_path, {"kind": "git", "paths": [f"file://{remote}"], "limit_files": 1})
    assert {row["repo"] for row in rows_} == {f"{tmp_path.name}/remote"}
    assert sorted(row["language"] for row in rows_) == ["JavaScript", "Python"]


def test_a_mirrored_commit_needs_no_remote_and_a_killed_fetch_blocks_nothing(tmp_path, remote):
    source = {"kind": "git", "paths": [str(remote)], "revision": _git(remote, "rev-parse", "v1")}
    before, _ = collect(tmp_path, source)
    remote.rename(tmp_path / "moved")
    assert collect(tmp_path, source)[0] == before
    (tmp_path / "moved").rename(remote)
    (mirror,) = [path for path in (tmp_path / ".snow/git").iterdir() if path.is_dir()]
    (mirror / "shallow.lock").touch()
    assert collect(tmp_path, {**source, "revision": "main"})[1]["documents"] == 4


def test_an_empty_git_repository_is_counted(tmp_path):
    (tmp_path / "void").mkdir()
    _git(tmp_path / "void", "init", "--quiet")
    _, facts = collect(tmp_path, {"kind": "git", "paths": [str(tmp_path / "void")]})
    assert facts["units"] == {"read": 1, "empty": 1, "excluded": 0}


def test_an_unknown_revision_and_a_missing_repository_are_named(tmp_path, remote):
    with pytest.raises(SnowError, match=r"source0: the git repository .*remote has no revision v9; set `revision`"):
        collect(tmp_path, {"kind": "git", "paths": [str(remote)], "revision": "v9"})
    with pytest.raises(SnowError, match=r"source0: the git repository .*gone cannot be read, git ls-remote says: fatal: .*gone"):
        collect(tmp_path, {"kind": "git", "paths": [str(tmp_path / "gone")]})
    with pytest.raises(SnowError, match="the git repository http://localhost:9/a/b cannot be read") as raised:
        collect(tmp_path, {"kind": "git", "paths": ["http://user:secret@localhost:9/a/b"]})
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.org/owner/name.git", "owner/name"),
        ("https://user:token@example.org/owner/name/", "owner/name"),
        ("https://token@example.org/name", "example.org/name"),
        ("git@example.org:owner/name.git", "owner/name"),
        ("ssh://git@example.org:22/owner/name.git", "owner/name"),
        ("/data/mirrors/name.git", "name"),
    ],
)
def test_repository_names_hold_no_credentials(url, name):
    assert git.repository_name(url) == name


def test_jobs_side_by_side_share_one_mirror(tmp_path, remote):
    results = []

    def read(revision):
        (unit,) = git.git_units("source", (str(remote),), revision, tmp_path / "mirrors")
        listed = unit.open()
        assert isinstance(listed, Repository)
        results.append([content for _, content in listed.read(frozenset(listed.files))])

    threads = [threading.Thread(target=read, args=(revision,)) for revision in ("v1", "main", "v1", "main")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert sorted(map(len, results)) == [6, 6, 7, 7]
    assert len([path for path in (tmp_path / "mirrors").iterdir() if path.is_dir()]) == 1


def test_a_hook_s_environment_does_not_redirect_git(tmp_path, remote, monkeypatch):
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert collect(tmp_path, {"kind": "git", "paths": [str(remote)]})[1]["documents"] == 4
    assert not (tmp_path / "elsewhere").exists()


def _tar(path, mode, files, top="pkg-1.0/"):
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            data = content if isinstance(content, bytes) else content.encode()
            info = tarfile.TarInfo(top + name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo(f"{top}link.py")
        link.type, link.linkname = tarfile.SYMTYPE, "a.py"
        archive.addfile(link)


def _zip(path, files, top="pkg-1.0/"):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(top + name, content)
        link = zipfile.ZipInfo(f"{top}link.py")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "a.py")


def test_archives_of_every_kind_give_the_same_documents(tmp_path):
    files = {**FILES, "LICENSE": MIT}  # the licence comes last
    _zip(tmp_path / "pkg.zip", files)
    for suffix, mode in (("tar", "w"), ("tar.gz", "w:gz"), ("tar.xz", "w:xz"), ("tar.bz2", "w:bz2")):
        _tar(tmp_path / f"pkg.{suffix}", mode, files)
    results = [
        collect(tmp_path / suffix, {"kind": "archive", "paths": [str(tmp_path / f"pkg.{suffix}")]})
        for suffix in ("zip", "tar", "tar.gz", "tar.xz", "tar.bz2")
    ]
    assert results[1:] == results[:1] * 4
    documents, facts = results[0]
    assert [(row["repo"], row["path"], row["license"]) for row in documents] == [
        ("pkg", path, "MIT") for path in ("pkg/a.py", "pkg/b.js", "pkg/c.py")
    ]
    assert facts["dropped"] == {"binary": 1, "language": 2, "not_a_file": 1}


def test_an_archive_can_be_odd_without_harm(tmp_path):
    big = b"x" * (40 << 20)
    _tar(tmp_path / "odd.tar.gz", "w:gz", {"LICENSE": MIT, "../../up.py": PY, "/abs.py": PY, "big.py": big}, top="")
    with tarfile.open(tmp_path / "twice.tar", "w") as archive:
        for content in (b"first = 1\n", b"second = 2\n"):
            info = tarfile.TarInfo("./a.py")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    del big
    tracemalloc.start()
    documents, facts = collect(tmp_path / "odd", {"kind": "archive", "paths": [str(tmp_path / "odd.tar.gz")]})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sorted(row["path"] for row in documents) == ["../../up.py", "abs.py"]
    assert facts["dropped"]["too_large"] == 1
    assert peak < 32 << 20
    assert {path.name for path in tmp_path.iterdir()} == {"odd", "odd.tar.gz", "twice.tar"}  # nothing was extracted
    documents, facts = collect(tmp_path / "twice", {"kind": "archive", "paths": [str(tmp_path / "twice.tar")], "license": "MIT"})
    assert [row["content"] for row in documents] == ["first = 1\n"]
    assert facts["dropped"] == {"duplicate_path": 1}


@pytest.mark.parametrize("name", ["cut.tar.gz", "cut.tar.xz", "cut.zip", "text.zip"])
def test_a_damaged_archive_is_named(tmp_path, name):
    path = tmp_path / name
    files = {f"{index}.py": os.urandom(4000).hex() for index in range(20)}
    if name.endswith(".zip"):
        _zip(path, files)
    else:
        _tar(path, "w:gz" if name.endswith("gz") else "w:xz", files)
    path.write_bytes(b"this is no archive\n" if name == "text.zip" else path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(SnowError, match=rf"source0: the archive .*{name} is damaged or of no known kind"):
        collect(tmp_path, {"kind": "archive", "paths": [str(path)], "license": "MIT"})


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
    assert peak < 3 * rows.LINE_LIMIT


@pytest.mark.parametrize(
    ("kind", "content", "fields", "sentence"),
    [
        ("parquet", b"PAR1 not really", {"content": "text", "path": "path"}, "rows is not a readable Parquet file"),
        ("parquet", None, {"content": "body", "language": "lang"}, "rows has no column body; its columns are text, meta, lang, lic"),
        ("jsonl", b'{"code": "x"}\n', {"content": "text", "path": "path"}, "rows has no field 'text' in any of its 1 rows"),
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


def test_a_truncated_gzip_is_named(tmp_path):
    whole = gzip.compress(b'{"text": "x = 1", "path": "a.py"}\n' * 1000)
    (tmp_path / "cut.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SnowError, match=r"cut\.jsonl\.gz cannot be read to its end"):
        collect(
            tmp_path,
            {"kind": "jsonl", "paths": [str(tmp_path / "cut.jsonl.gz")], "license": "MIT", "fields": {"content": "text", "path": "path"}},
        )


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
    with pytest.raises(SnowError, match=r"the data set .*set \(subset None, split test, revision None\) cannot be loaded"):
        collect(tmp_path, {**source, "split": "test"})


def test_a_hub_data_set_that_cannot_be_reached_is_named(tmp_path, offline):
    with pytest.raises(SnowError, match=r"source0: the data set nobody/nothing \(.*\) cannot be loaded"):
        collect(tmp_path, {"kind": "huggingface", "paths": ["nobody/nothing"], "fields": FIELDS})


def test_without_datasets_the_hub_source_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(SnowError, match="needs the package datasets, which this environment lacks"):
        collect(tmp_path, {"kind": "huggingface", "paths": ["bigcode/the-stack"], "fields": FIELDS})

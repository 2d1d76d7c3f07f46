"""What of a source makes which shard run again: its own files' contents, and nothing about where they lie."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from snow import digest, pinned
from snow.corpus import git, trees, units
from snow.corpus.fingerprint import fingerprint
from snow.errors import SnowError
from snow.schema import Source

SHARDS = 8
EVERY = [f"{number:05}" for number in range(SHARDS)]


def told(*sources: dict[str, Any], instances: list[str] = EVERY) -> dict[str, Any]:
    """The fingerprints of the shards over some sources."""
    params = SimpleNamespace(sources=[Source(name="s", **source) for source in sources], shards=SHARDS)
    return fingerprint(dict.fromkeys(instances, params), "base")


def differing(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [instance for instance in EVERY if before[instance] != after[instance]]


def shard_of(name: str) -> str:
    return f"{units.rank(name) % SHARDS:05}"


@pytest.fixture(autouse=True)
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with twelve tables in `data`."""
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    for number in range(12):
        Path(f"data/{number}.jsonl").write_text(f"{number}\n")
    return tmp_path


def test_a_changed_or_added_file_is_its_own_shards_business() -> None:
    source = {"kind": "jsonl", "paths": ["data/*.jsonl"], "fields": {"content": "text"}}
    before = told(source)
    assert sum(len(found["s"]) for found in before.values()) == 12
    Path("data/3.jsonl").write_text("other\n")
    changed = told(source)
    assert differing(before, changed) == [shard_of("3.jsonl")]
    Path("data/twelve.jsonl").write_text("12\n")
    assert differing(changed, told(source)) == [shard_of("twelve.jsonl")]


def test_a_corpus_that_was_moved_is_the_same() -> None:
    before = told({"kind": "parquet", "paths": ["data/*"]})
    shutil.move("data", "elsewhere")
    assert told({"kind": "parquet", "paths": ["elsewhere/*"]}) == before


def test_the_order_of_reading_counts() -> None:
    shards = [shard_of(f"{number}.jsonl") for number in range(12)]
    crowded = max(shards, key=shards.count)
    names = [f"{number}.jsonl" for number in range(12) if shards[number] == crowded]
    assert len(names) > 1
    paths = [f"data/{name}" for name in names]
    assert told({"kind": "jsonl", "paths": paths}) != told({"kind": "jsonl", "paths": paths[::-1]})


def test_only_the_shards_asked_for_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    original = digest.file_md5
    monkeypatch.setattr(digest, "file_md5", lambda path: read.append(path.name) or original(path))
    told({"kind": "jsonl", "paths": ["data/*.jsonl"]}, instances=[shard_of("3.jsonl")])
    assert read
    assert {shard_of(name) for name in read} == {shard_of("3.jsonl")}


def test_a_folder_counts_by_its_files(tables: Path) -> None:
    for name in ("one", "two"):
        (tables / "repos" / name).mkdir(parents=True)
        (tables / "repos" / name / "a.py").write_text(name)
    before = told({"kind": "folder", "paths": ["repos"]})
    (tables / "repos/two/b.py").write_text("b")
    assert differing(before, told({"kind": "folder", "paths": ["repos"]})) == [shard_of("two")]


def test_a_folder_is_read_once_per_state_of_its_files(tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    original = digest.file_md5
    monkeypatch.setattr(digest, "file_md5", lambda path: read.append(path.name) or original(path))
    (tables / "repos/one/sub").mkdir(parents=True)
    files = [tables / "repos/one" / name for name in ("a.py", "sub/b c.py", "sub/new\nline.py", os.fsdecode(b"caf\xe9.py"))]
    for file in files:
        file.write_text("same")
    (tables / "repos/one/link.py").symlink_to("a.py")
    os.mkfifo(tables / "repos/one/pipe.py")
    source = {"kind": "folder", "paths": ["repos"]}
    before = told(source)
    assert sorted(read) == sorted(file.name for file in files)
    assert told(source) == before
    assert len(read) == len(files)
    status = files[1].stat()
    files[1].write_text("SAME")
    os.utime(files[1], ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    after = told(source)
    assert after != before
    assert read[len(files) :] == ["b c.py"]
    (memo,) = (tables / trees.MEMO).iterdir()
    for torn in (b"", *(memo.read_bytes()[:size] for size in (40, 100, 129, 140, 180)), b"\0" * 200):
        memo.write_bytes(torn)
        assert told(source) == after


def test_a_git_repository_counts_by_its_commit(tables: Path) -> None:
    def run(*words: str) -> None:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.invalid")
        subprocess.run(["git", "-C", str(tables / "repo"), *identity, *words], check=True, capture_output=True)

    (tables / "repo").mkdir()
    run("init", "-q")
    run("commit", "-q", "--allow-empty", "-m", "one")
    run("tag", "v1")
    head, pinned = ({"kind": "git", "paths": ["repo"], "revision": revision} for revision in (None, "v1"))
    before = told(head), told(pinned)
    run("commit", "-q", "--allow-empty", "-m", "two")
    assert differing(before[0], told(head)) == [shard_of("repo")]
    assert told(pinned) == before[1]
    run("tag", "-f", "v1")
    assert differing(before[1], told(pinned)) == [shard_of("repo")]


def test_what_is_on_the_network_counts_by_its_name_without_credentials() -> None:
    found = told({"kind": "git", "paths": ["https://me:secret@example.invalid/team/code.git"]})
    assert found[shard_of("team/code")]["s"] == [["team/code", ["https://example.invalid/team/code.git", None]]]
    fixed = told({"kind": "git", "paths": ["https://example.invalid/team/code.git"], "revision": "a" * 40})
    assert fixed[shard_of("team/code")]["s"] == [["team/code", ["https://example.invalid/team/code.git", "a" * 40]]]
    hub = told({"kind": "huggingface", "paths": ["team/set"]})
    assert all(units == {"s": [["team/set", None]]} for units in hub.values()), "which file is in which shard is known only there"


def test_a_job_finds_out_the_commit_of_a_url_once_and_reads_that_one(tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pinned, "_pins", {})  # as in a job's process

    def commit(name: str) -> str:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.invalid")
        (tables / "repo" / name).write_text("x = 1\n")
        for words in (("add", "."), ("commit", "-q", "-m", name), ("tag", "-a", "-m", name, name)):
            subprocess.run(["git", "-C", str(tables / "repo"), *identity, *words], check=True, capture_output=True)
        head = subprocess.run(["git", "-C", str(tables / "repo"), "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
        return head.stdout.strip()

    (tables / "repo").mkdir()
    subprocess.run(["git", "-C", str(tables / "repo"), "init", "-q", "-b", "main"], check=True)
    first = commit("one.py")
    url = f"file://{tables}/repo"
    head, branch, tag = ({"kind": "git", "paths": [url], "revision": revision} for revision in (None, "main", "two.py"))
    name = git.repository_name(url)
    assert told(head)[shard_of(name)]["s"] == [[name, [url, first]]]
    second = commit("two.py")
    assert told(head)[shard_of(name)]["s"] == [[name, [url, first]]]
    assert told(branch)[shard_of(name)]["s"] == told(tag)[shard_of(name)]["s"] == [[name, [url, second]]]
    for revision, commit_read, files in ((None, first, ["one.py"]), ("two.py", second, ["one.py", "two.py"])):
        (unit,) = git.git_units("s", (url,), revision, tables / "mirrors")
        repository = unit.open()
        assert isinstance(repository, units.Repository)
        assert (list(repository.files), repository.facts) == (files, {name: commit_read})
    gone = {"kind": "git", "paths": [f"file://{tables}/nowhere"]}
    with pytest.raises(SnowError, match=r"source s: the git repository file://.*/nowhere cannot be read, git ls-remote says"):
        told(gone)


def test_a_source_that_is_gone_is_a_change(tables: Path) -> None:
    before = told({"kind": "jsonl", "paths": ["data/3.jsonl"]})
    os.unlink(tables / "data/3.jsonl")
    assert differing(before, told({"kind": "jsonl", "paths": ["data/3.jsonl"]})) == [shard_of("3.jsonl")]

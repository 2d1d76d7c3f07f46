"""`snow gc`: shown before anything goes; what the workspace or a kept commit needs stays, and no record points at nothing."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from snow.caching import gc, hashes, records
from snow.caching.store import Store, open_store
from snow.errors import SnowError

from .. import forked


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Two commits of `data.txt`, "first" and "second", and a finished job whose output, "orphan", is in neither."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(forked.environments() / "base/bin"), prepend=os.pathsep)
    run("git", "init", "-q")
    run("dvc", "init", "-q")
    for version in ("first", "second"):
        Path("data.txt").write_text(version)
        run("dvc", "add", "-q", "data.txt")
        run("git", "add", "-A")
        run("git", "-c", "user.name=t", "-c", "user.email=t@example.invalid", "commit", "-qm", version)
    found = open_store(tmp_path)
    assert found is not None
    Path("made.txt").write_text("orphan")
    made = hashes.content(Path("made.txt"))
    found.add(Path("made.txt"), made)
    records.save(found, records.entry("filter", "00000", "k" * 64, {}, {Path("made.txt"): made}))
    return found


def run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


def held(store: Store) -> set[str]:
    """What the cache holds, by content."""
    return {path.read_text() for path in (store.root / "files").rglob("*") if path.is_file()}


def kept_records(store: Store) -> int:
    return len([path for path in (store.root / "runs").rglob("*") if path.is_file()])


def test_nothing_is_removed_unasked(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert gc.run(None, False, remove=False) == 0
    said = capsys.readouterr().out
    assert "2 objects" in said
    assert "1 job records whose objects would be gone" in said
    assert "nothing was removed; `snow gc --remove` does it" in said
    assert held(store) == {"first", "second", "orphan"}
    assert kept_records(store) == 1


def test_what_the_workspace_needs_stays(store: Store) -> None:
    assert gc.run(None, False, remove=True) == 0
    assert held(store) == {"second"}
    assert kept_records(store) == 0


@pytest.mark.parametrize("sound", [True, False])
def test_what_a_run_left_in_the_workspace_stays_though_no_lock_names_it(
    store: Store, sound: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of an overlay or a part, which no dvc.lock names; where the cache is linked to, it is all there is."""
    receipt = Path("receipts/filter/00000.json")
    receipt.parent.mkdir(parents=True)
    told = {"outputs": {"documents": ["made.txt", hashes.content(Path("made.txt")).md5]}}
    receipt.write_text(json.dumps(told) if sound else "")
    assert gc.run(None, False, remove=True) == 0
    assert held(store) == ({"second", "orphan"} if sound else {"second"})
    assert kept_records(store) == sound
    assert ("1 objects that no dvc.lock names were kept" in capsys.readouterr().out) == sound


@pytest.mark.parametrize(("revision", "every"), [("HEAD~1", False), (None, True)])
def test_what_a_kept_commit_needs_stays_too(store: Store, revision: str | None, every: bool) -> None:
    assert gc.run(revision, every, remove=True) == 0
    assert held(store) == {"first", "second"}


def test_a_record_whose_objects_are_there_stays(store: Store) -> None:
    made = hashes.content(Path("data.txt"))
    records.save(store, records.entry("filter", "00001", "l" * 64, {}, {Path("data.txt"): made}))
    gc.run(None, False, remove=True)
    assert kept_records(store) == 1


def test_outside_a_repository_the_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SnowError, match="not a DVC repository"):
        gc.run(None, False, remove=False)

"""A cache that several clones share: `snow gc` in one of them takes nothing from the others, and says so when it cannot know."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Timer

import pytest

from snow import job
from snow.caching import gc, hashes, reconcile
from snow.caching.store import Store, open_store
from snow.errors import SnowError

from .. import forked

LOCAL = Path(".dvc/config.local")


def run(*words: str, folder: Path) -> None:
    subprocess.run(words, cwd=folder, check=True, capture_output=True)


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Make a clone with one artifact, named like it, in the cache at `cache`; the last one made is the working directory."""
    monkeypatch.setenv("PATH", str(forked.environments() / "base/bin"), prepend=os.pathsep)

    def clone(name: str) -> Path:
        path = tmp_path / name
        (path / ".dvc").mkdir(parents=True)  # what `dvc init`, `dvc cache dir` and `dvc add` leave, which take seconds
        (path / ".dvc/config").touch()
        run("git", "init", "-q", folder=path)
        (path / LOCAL).write_text(f"[cache]\n    dir = {tmp_path / 'cache'}\n")
        monkeypatch.chdir(path)
        (path / "data.txt").write_text(name)
        known = hashes.content(Path("data.txt"))
        store().add(Path("data.txt"), known)
        (path / "data.txt.dvc").write_text(f"outs:\n- {{md5: {known.md5}, size: {known.size}, hash: md5, path: data.txt}}\n")
        return path

    return clone


def store() -> Store:
    found = open_store()
    assert found is not None
    return found


def held(root: Path) -> set[str]:
    return {path.read_text() for path in (root / "files").rglob("*") if path.is_file()}


def entries(root: Path) -> set[str]:
    return {Path(json.loads(path.read_text())["path"]).name for path in (root / "clones").iterdir()}


def orphan(root: Path) -> None:
    (root / "files/md5/ab").mkdir(parents=True, exist_ok=True)
    (root / "files/md5/ab" / ("0" * 30)).write_text("orphan")


def test_what_the_other_clone_needs_stays(make: Callable[[str], Path], capsys: pytest.CaptureFixture[str]) -> None:
    first, _ = make("first clone"), make("second")
    root = store().root
    orphan(root)
    assert entries(root) == {"first clone", "second"}
    gc.run(None, False, remove=False)
    assert f"what 1 other clones need was kept: {first}" in capsys.readouterr().out
    gc.run(None, False, remove=True)
    assert held(root) == {"first clone", "second"}
    assert entries(root) == {"first clone", "second"}, "the register is no rubbish"


def test_opening_again_writes_nothing(make: Callable[[str], Path]) -> None:
    make("first")
    entry = next((store().root / "clones").iterdir())
    before = entry.stat()
    store()
    assert entry.stat() == before


def test_a_clone_that_is_gone_must_be_said_to_be(make: Callable[[str], Path], capsys: pytest.CaptureFixture[str]) -> None:
    first, _ = make("first"), make("second")
    root = store().root
    moved = first.rename(first.with_name("moved"))
    assert gc.run(None, False, remove=False) == 0
    assert f"nothing was removed; the clone at {first} (seen on {os.uname().nodename}) uses this cache" in capsys.readouterr().out
    with pytest.raises(SnowError, match=rf"the clone at {first} .* cannot be seen from here.*or say `--forget {first}` if it is gone"):
        gc.run(None, False, remove=True)
    assert held(root) == {"first", "second"}
    with pytest.raises(SnowError, match=r"--forget /nosuch: /nosuch is not entered"):
        gc.run(None, False, remove=True, forget=["/nosuch"])
    gc.run(None, False, remove=True, forget=[str(first)])
    assert held(root) == {"second"}
    assert entries(root) == {"second"}
    assert (moved / "data.txt").read_text() == "first"


def test_a_clone_that_is_here_cannot_be_forgotten(make: Callable[[str], Path]) -> None:
    first, _ = make("first"), make("second")
    with pytest.raises(SnowError, match="is there and uses this cache"):
        gc.run(None, False, remove=True, forget=[str(first)])


def test_another_host_s_clone_is_not_what_lies_there_here(make: Callable[[str], Path]) -> None:
    first, _ = make("first"), make("second")
    root = store().root
    entry = next(path for path in (root / "clones").iterdir() if json.loads(path.read_text())["path"] == str(first))
    entry.write_text(json.dumps({"path": str(first), "host": "elsewhere"}))
    (first / LOCAL).unlink()
    with pytest.raises(SnowError, match="seen on elsewhere"):
        gc.run(None, False, remove=True)


def test_a_clone_that_uses_another_cache_now_is_struck_off(make: Callable[[str], Path]) -> None:
    first, _ = make("first"), make("second")
    root = store().root
    (first / LOCAL).unlink()
    gc.run(None, False, remove=True)
    assert entries(root) == {"second"}
    assert held(root) == {"second"}


@pytest.mark.parametrize("lock", [reconcile.LOCK, job.STAGING / "filter-1.lock"])
@pytest.mark.parametrize("whose", ["first", "second"])
def test_nothing_is_removed_while_a_run_goes_on_anywhere(whose: str, lock: Path, make: Callable[[str], Path]) -> None:
    """Or a job that outlived it, as on a cluster."""
    paths = {name: make(name) for name in ("first", "second")}
    orphan(store().root)
    path = paths[whose] / lock
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        handle.write(reconcile.RUN)
        handle.flush()
        assert gc.run(None, False, remove=False) == 0
        with pytest.raises(SnowError, match=f"a run is going on in the clone at {paths[whose]}"):
            gc.run(None, False, remove=True)
        assert "orphan" in held(store().root)
    gc.run(None, False, remove=True)
    assert held(store().root) == {"first", "second"}


def test_a_run_that_begins_meanwhile_waits(make: Callable[[str], Path]) -> None:
    """Whatever the last one left written in its lock, and whoever's clone it is."""
    first, _ = make("first"), make("second")
    last = reconcile.hold_lock(reconcile.RUN, first)
    assert last is not None
    last.close()
    with ThreadPoolExecutor() as pool:
        with gc.idle(first):
            beginning = pool.submit(reconcile.hold_lock, reconcile.RUN, first)
            with pytest.raises(TimeoutError):
                beginning.result(0.5)
        begun = beginning.result(10)
    assert begun is not None
    begun.close()


def test_a_dry_run_is_waited_for(make: Callable[[str], Path]) -> None:
    first = make("first")
    looking = reconcile.hold_lock()
    assert looking is not None
    Timer(0.3, looking.close).start()
    with gc.idle(first):
        assert looking.closed


def test_another_user_s_clone_is_locked_all_the_same(make: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose lock may only be read."""
    first = make("first")
    lock = first / reconcile.LOCK
    lock.parent.mkdir(exist_ok=True)
    lock.touch()

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(reconcile, "hold_lock", refuse)
    with gc.idle(first), open(lock) as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with open(lock) as running:
        fcntl.flock(running, fcntl.LOCK_EX)
        with pytest.raises(SnowError, match=f"a run is going on in the clone at {first}"), gc.idle(first):
            pass
    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(SnowError, match=r"\.snow/lock may not be locked \(Permission denied\); ask its owner"), gc.idle(first):
        pass


def test_a_commit_the_other_clone_does_not_have_is_said(make: Callable[[str], Path]) -> None:
    make("first")
    second = make("second")
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.invalid")
    run("git", "add", "-A", folder=second)
    run("git", *identity, "commit", "-qm", "second", folder=second)
    run("git", "branch", "mine", folder=second)
    with pytest.raises(SnowError, match=r"dvc gc failed and removed nothing: .*`git fetch` there, or keep all commits"):
        gc.run("mine", False, remove=True)
    assert held(store().root) == {"first", "second"}


def test_a_cache_that_is_only_read_is_opened_all_the_same(make: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    make("first")
    for entry in (store().root / "clones").iterdir():
        entry.unlink()

    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "replace", refuse)
    assert store().root.is_dir()
    assert list((store().root / "clones").iterdir()) == []


def test_an_entry_nobody_can_read_is_named(make: Callable[[str], Path]) -> None:
    make("first")
    (store().root / "clones/abc").write_text("{")
    with pytest.raises(SnowError, match=r"clones/abc, which names a clone that uses this cache, cannot be read"):
        gc.run(None, False, remove=True)

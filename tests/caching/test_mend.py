"""`snow mend`: a remote that lost something, or got half of it, is whole again, and another clone gets everything right."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from snow.caching import dvc_repo, hashes, mend, records
from snow.caching.store import Store, open_store
from snow.errors import SnowError

from .. import forked
from ..conftest import ROOT

CONTENTS = {"single": "a single file", "folder/one": "one of two", "folder/sub/two": "two of two", "folder/three": "three"}
PIPELINE = "stages:\n  make:\n    cmd: 'true'\n    outs: [single, folder]\n"


def run(*words: str) -> str:
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return done.stdout + done.stderr


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A clone, the working directory, whose stage and its job's record were pushed to a folder as remote `team`."""
    (tmp_path / "first").mkdir()
    monkeypatch.chdir(tmp_path / "first")
    monkeypatch.setenv("PATH", str(forked.environments() / "base/bin"), prepend=os.pathsep)
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    run("git", "init", "-q")
    run("dvc", "init", "-q")
    run("dvc", "remote", "add", "-q", "-d", "team", str(tmp_path / "remote"))
    Path("dvc.yaml").write_text(PIPELINE)
    for name, text in CONTENTS.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)
    run("dvc", "commit", "-fq")
    found = open_store()
    assert found is not None
    Path("other").write_text("of other params")
    made = hashes.content(Path("other"))
    found.add(Path("other"), made)
    records.save(found, records.entry("filter", "00000", "k" * 64, {}, {Path("other"): made}))
    run("dvc", "push", "-q", "--run-cache")
    run("git", "add", "-A", ":!other")
    run("git", "-c", "user.name=t", "-c", "user.email=t@example.invalid", "commit", "-qm", "made")
    return found


def there(name: str) -> Path:
    """The remote's object of a file or folder of the workspace."""
    md5 = hashes.content(Path(name)).md5
    return Path("../remote/files/md5") / md5[:2] / md5[2:]


def truncate(path: Path) -> None:
    path.chmod(0o644)
    os.truncate(path, path.stat().st_size // 2)
    path.chmod(0o444)  # as DVC leaves it; it reads again what could be written to


def garble(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(b"x" * path.stat().st_size)


def pulled(*options: str) -> dict[str, str]:
    """What a fresh clone gets."""
    run("git", "clone", "-q", ".", "../second")
    subprocess.run(["dvc", "pull", "-q", *options], cwd="../second", check=True)
    return {name: Path("../second", name).read_text() for name in CONTENTS}


@pytest.mark.parametrize("listing", [truncate, Path.unlink])
def test_what_is_missing_or_cut_short_is_uploaded(
    listing: Callable[[Path], None], store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    truncate(there("single"))
    there("folder/one").unlink()
    truncate(there("folder/sub/two"))
    listing(there("folder"))
    assert mend.run(None, run_cache=False, verify=False) == 0
    said = capsys.readouterr().out
    assert "single was damaged on team; uploaded" in said
    assert "folder/sub/two was damaged on team; uploaded" in said
    assert "team: 5 objects looked at, " in said
    assert said.endswith("0 still missing or damaged\n")
    assert pulled() == CONTENTS


def test_pushing_again_does_not_mend_it(store: Store) -> None:
    """The reason for the command: DVC asks only whether an object is there."""
    truncate(there("single"))
    assert "Everything is up to date" in run("dvc", "push")
    assert there("single").stat().st_size < len(CONTENTS["single"])


def test_a_whole_remote_is_left_alone(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    mend.run("team", run_cache=True, verify=False)
    capsys.readouterr()
    before = {path: path.stat().st_mtime_ns for path in Path("../remote").rglob("*")}
    assert mend.run("team", run_cache=True, verify=True) == 0
    assert capsys.readouterr().out == "team: 6 objects looked at, 0 uploaded and 0 of 1 job records, 0 still missing or damaged\n"
    assert {path: path.stat().st_mtime_ns for path in Path("../remote").rglob("*")} == before


def test_damage_that_left_the_size_is_found_by_reading(store: Store) -> None:
    garble(there("folder/one"))
    assert mend.run(None, run_cache=False, verify=False) == 0
    assert there("folder/one").read_text() != CONTENTS["folder/one"]
    assert mend.run(None, run_cache=False, verify=True) == 0
    assert pulled() == CONTENTS


def test_job_records_and_what_they_need(store: Store) -> None:
    """`dvc push --run-cache` takes the records of other params along, but not what they name."""
    assert not there("other").exists()
    record = next(path for path in Path("../remote/runs").rglob("*") if path.is_file())
    truncate(record)
    assert mend.run(None, run_cache=False, verify=False) == 0
    assert not there("other").exists()
    assert mend.run(None, run_cache=True, verify=False) == 0
    assert there("other").read_text() == "of other params"
    assert record.read_bytes() == next(path for path in (store.root / "runs").rglob("*") if path.is_file()).read_bytes()


def test_what_nobody_here_has_is_named(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """Also what the local cache itself has only damaged: that is not uploaded, nor is a whole object there replaced by it."""
    truncate(there("folder/one"))
    store.object_path(hashes.content(Path("folder/one")).md5).unlink()
    there("single").unlink()
    garble(store.object_path(hashes.content(Path("single")).md5))
    truncate(store.object_path(hashes.content(Path("folder/three")).md5))
    assert mend.run(None, run_cache=False, verify=False) == 1
    said = capsys.readouterr()
    assert "folder/one is damaged on team, and this cache does not have it whole" in said.out
    assert "single is missing on team" in said.out
    assert "three" not in said.out
    assert said.out.endswith("0 uploaded, 2 still missing or damaged\n")
    assert "is damaged; removed" in said.err
    assert there("folder/three").read_text() == CONTENTS["folder/three"]


def test_bit_rot_in_the_cache_is_not_uploaded(store: Store) -> None:
    """A byte that changed without a new file time, so that the remembered hash would be believed."""
    mine = store.object_path(hashes.content(Path("single")).md5)
    assert store.sound(mine.parent.name + mine.name)
    status = mine.stat()
    garble(mine)
    os.utime(mine, ns=(status.st_atime_ns, status.st_mtime_ns))
    there("single").unlink()
    assert mend.run(None, run_cache=False, verify=False) == 1
    assert not there("single").exists()


def test_a_clone_that_pulled_damage_mends_nothing_but_says_so(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    truncate(there("folder/one"))
    run("git", "clone", "-q", ".", "../second")
    monkeypatch.chdir("../second")
    assert mend.run(None, run_cache=False, verify=False) == 1


@pytest.mark.parametrize(
    ("configure", "says"),
    [
        ((), "no remote specified"),
        (("dvc", "remote", "add", "-d", "other", "s3://nosuch-bucket/x"), "the remote other at nosuch-bucket/x failed: "),
    ],
)
def test_no_remote_or_none_that_answers_is_one_sentence(
    configure: tuple[str, ...], says: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("dvc", "remote", "remove", "team")
    if configure:
        run(*configure)
        run("dvc", "remote", "modify", "other", "endpointurl", "http://127.0.0.1:9")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(SnowError, match=says) as seen:
        mend.run(None, run_cache=False, verify=False)
    assert "\n" not in str(seen.value)


def test_outputs_as_dvc_names_them(store: Store) -> None:
    """Of DVC's internals this relies on the index, an output's hash, size and flags, and a remote's file system and layout."""
    found = {path: (md5, size) for path, md5, size in dvc_repo.cached_outputs()}
    assert found == {name: (known.md5, known.size) for name in ("single", "folder") if (known := hashes.content(Path(name)))}
    with dvc_repo.remote("team") as remote:
        path = remote.object(found["single"][0])
        assert Path(path).resolve() == there("single").resolve()
        assert remote.size(path) == found["single"][1]
        assert b"".join(remote.chunks(path)) == CONTENTS["single"].encode()


def test_the_command(store: Store) -> None:
    there("folder/one").unlink()
    words = [sys.executable, "-m", "snow", "mend", "team", "--params", str(ROOT / "params.yaml")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "folder/one was missing on team; uploaded" in done.stdout

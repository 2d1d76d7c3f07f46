"""Hashes are DVC's own, so that the cache is shared with it, and nothing without a stable form enters a key."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from snow import digest
from snow.caching import hashes

ROOT = Path(__file__).parents[1]
DVC = ROOT / ".envs/base/bin/dvc"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty DVC repository, which is also the working directory."""
    if not DVC.exists():
        pytest.skip("dvc is not installed at .envs/base; run `make envs`")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    subprocess.run([DVC, "init", "--quiet", "--no-scm"], check=True)
    shutil.copy(ROOT / ".dvcignore", tmp_path / ".dvcignore")
    return tmp_path


def recorded(*paths: Path) -> dict[str, dict[str, object]]:
    """What `dvc add` writes about each path: md5, size, and nfiles for a folder."""
    subprocess.run([DVC, "add", "--quiet", *paths], check=True, capture_output=True)
    return {path.name: yaml.safe_load(Path(f"{path}.dvc").read_text())["outs"][0] for path in paths}


def test_a_file_and_a_folder_hash_as_dvc_hashes_them(repository: Path) -> None:
    file = repository / "shard.parquet"
    file.write_bytes(os.urandom(3 << 20))
    folder = repository / "model"
    for name in ("config.json", "b/weights.bin", "b/a/empty", ".hidden", "ünï/名前.txt", "a b.txt", "B.txt", "a.txt", "a/z"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"" if name.endswith("empty") else name.encode())
    (folder / "nothing").mkdir()
    (folder / ".snakemake_timestamp").touch()  # Snakemake leaves it in every directory() output
    found = recorded(file, folder)
    for path in (file, folder):
        content = hashes.content(path)
        assert content.md5 == found[path.name]["md5"]
        assert content.size == found[path.name]["size"]
    listing = hashes.content(folder).listing
    stored = found["model"]["md5"]
    assert (repository / f".dvc/cache/files/md5/{str(stored)[:2]}/{str(stored)[2:]}").read_bytes() == listing


def test_a_changed_file_is_hashed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("data.bin")
    path.write_bytes(b"one")
    assert hashes.content(path).md5 == hashlib.md5(b"one").hexdigest()
    path.write_bytes(b"two")
    os.utime(path, ns=(1, 1))
    assert hashes.content(path).md5 == hashlib.md5(b"two").hexdigest()


def test_file_md5_reads_beyond_one_chunk(tmp_path: Path) -> None:
    chunk = 1 << 18  # what hashlib.file_digest reads at a time
    for size in (0, 1, chunk, chunk + 1, 3 * chunk):
        data = os.urandom(size)
        (tmp_path / "file").write_bytes(data)
        assert digest.file_md5(tmp_path / "file") == hashlib.md5(data).hexdigest()


def test_the_canonical_form_depends_on_the_value_alone() -> None:
    assert digest.canonical({"b": 1, "a": [1.0, "é", None, True]}) == '{"a":[1.0,"é",null,true],"b":1}'
    assert digest.canonical({"a": 1, "b": 2}) == digest.canonical({"b": 2, "a": 1})
    assert digest.canonical(1) != digest.canonical(1.0) != digest.canonical("1.0")


@pytest.mark.parametrize("value", [{1, 2}, float("nan"), float("inf"), object(), Path("x"), b"bytes"])
def test_a_value_without_a_stable_form_is_an_error(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        digest.canonical({"value": value})

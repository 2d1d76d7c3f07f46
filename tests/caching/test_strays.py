"""What no job makes any more leaves the artifacts' folders, and a damaged listing does not stop DVC."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from snow.caching import hashes, locked, strays
from snow.caching.store import Store, open_store
from snow.graph import Graph, Job

JOB = Job("collect", "00000", "corpus-raw", {}, {"documents": "corpus/raw/00000.parquet"})


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A DVC repository whose one stage has a folder and its receipts as outputs, both with more in them than the graph has."""
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q"], check=True)
    Path("dvc.yaml").write_text("stages:\n  corpus-raw:\n    cmd: 'true'\n    outs: [corpus/raw, receipts/collect: {persist: true}]\n")
    for name in ("corpus/raw/00000.parquet", "corpus/raw/00001.parquet", "corpus/raw/notes.txt", "corpus/other.txt", JOB.receipt):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name)
    found = open_store()
    assert found is not None
    return found


def test_a_removed_shard_goes_with_or_without_its_receipt(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    gone = Path("corpus/raw/00001.parquet")
    store.add(gone, hashes.content(gone))
    damaged = Path("receipts/collect/00001.json")
    damaged.write_text("half a rec")
    old = Path("receipts/removed/all.json")
    old.parent.mkdir()
    old.write_text("{}")
    (old.parent / ".snakemake_timestamp").touch()  # Snakemake's, in every folder that is an output
    strays.remove(Graph([JOB]))
    left = sorted(str(path) for folder in ("corpus", "receipts") for path in Path(folder).rglob("*") if path.is_file())
    assert left == ["corpus/other.txt", "corpus/raw/00000.parquet", "receipts/collect/00000.json"]
    assert not old.parent.exists()
    said = capsys.readouterr().err
    for path in (Path("corpus/raw/notes.txt"), damaged, old):  # what nobody else may have is kept, and said
        assert (strays.KEPT / path).exists()
        assert f"{path} is made by no job of this recipe" in said
    assert not (strays.KEPT / gone).exists()


def test_a_damaged_listing_is_written_again_from_its_folder(store: Store) -> None:
    folder = Path("corpus/raw")
    known = hashes.content(folder)
    store.add(folder, known)
    Path("dvc.lock").write_text(
        json.dumps({"schema": "2.0", "stages": {"corpus-raw": {"outs": [{"path": "corpus/raw", "md5": known.md5}]}}})
    )
    listing = store.object_path(known.md5)
    listing.chmod(0o644)
    listing.write_bytes(b"{}")
    locked.mend_listings(store)
    assert listing.read_bytes() == known.listing
    listing.unlink()
    locked.mend_listings(store)
    assert not listing.exists(), "what was never fetched is no damage"

"""Our job records and cache layout against DVC's own code: a new DVC that changes either fails here, loudly."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from snow.caching import dvc_repo, hashes, records
from snow.caching.store import LINK_TYPES, Store, open_store
from snow.errors import SnowError

from .. import forked


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty DVC repository, the working directory of the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(forked.environments() / "base/bin"), prepend=os.pathsep)
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["dvc", "init", "-q"], check=True)
    return tmp_path


def store_of(repository: Path) -> Store:
    found = open_store(repository)
    assert found is not None
    return found


def entry(outputs: dict[Path, hashes.Content]) -> dict:
    made_from = Path("in.txt")
    made_from.write_text("input\n")
    return records.entry("filter", "00000", "k" * 64, {made_from: hashes.content(made_from).md5}, dict(outputs))


def made(repository: Path) -> dict[Path, hashes.Content]:
    """A file and a folder as a job's outputs."""
    Path("out.bin").write_bytes(b"output")
    Path("folder/b").mkdir(parents=True)
    Path("folder/a.txt").write_text("a")
    Path("folder/b/c.txt").write_text("c")
    return {path: hashes.content(path) for path in (Path("out.bin"), Path("folder"))}


def test_a_record_has_dvcs_key_and_dvc_reads_it(repository: Path) -> None:
    from dvc.repo import Repo
    from dvc.stage.cache import _get_cache_hash

    store, outputs = store_of(repository), made(repository)
    for path, known in outputs.items():
        store.add(path, known)
    record = entry(outputs)
    records.save(store, record)
    assert records.key_of(record) == _get_cache_hash(json.loads(json.dumps(record)), key=True)
    with Repo(str(repository)) as repo:
        value = next(path.name for path in records.folder(store, record).iterdir())
        loaded = repo.stage_cache._load_cache(records.key_of(record), value)
        stage = repo.stage_cache._create_stage(loaded)
        assert {out.def_path: out.hash_info.value for out in stage.outs} == {str(path): known.md5 for path, known in outputs.items()}
        assert stage.outs_cached()


def test_contents_are_what_dvc_computes(repository: Path) -> None:
    outputs = made(repository)
    subprocess.run(["dvc", "add", "-q", "out.bin", "folder"], check=True)
    for path, known in outputs.items():
        assert f"md5: {known.md5}" in Path(f"{path}.dvc").read_text()
    assert store_of(repository).holds(outputs[Path("folder")])


@pytest.mark.parametrize("kind", LINK_TYPES)
def test_outputs_come_back_whatever_the_link_type(repository: Path, kind: str) -> None:
    subprocess.run(["dvc", "config", "cache.type", f"{kind},copy"], check=True)
    store, outputs = store_of(repository), made(repository)
    for path, known in outputs.items():
        store.add(path, known)
    record = entry(outputs)
    records.save(store, record)
    found = records.load(store, entry(dict.fromkeys(outputs)))
    assert found is not None
    for path, known in outputs.items():
        assert found[str(path)] == known
        assert store.check_out(known, Path("again") / path)
        assert hashes.content(Path("again") / path) == known


def test_a_damaged_object_is_named_removed_and_not_handed_out(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, outputs = store_of(repository), made(repository)
    store.add(Path("out.bin"), outputs[Path("out.bin")])
    victim = store.object_path(outputs[Path("out.bin")].md5)
    victim.chmod(0o644)
    victim.write_bytes(b"damage")
    assert not store.check_out(outputs[Path("out.bin")], Path("again"))
    assert not Path("again").exists()
    assert not victim.exists()
    assert str(victim) in capsys.readouterr().err


def test_a_record_whose_objects_are_gone_does_not_count(repository: Path) -> None:
    store, outputs = store_of(repository), made(repository)
    records.save(store, entry(outputs))
    assert records.load(store, entry(dict.fromkeys(outputs))) is None


def test_configuration_levels_are_read_as_dvc_reads_them(repository: Path, tmp_path: Path) -> None:
    subprocess.run(["dvc", "cache", "dir", "--local", str(tmp_path / "shared")], check=True)
    subprocess.run(["dvc", "config", "cache.type", "hardlink,symlink"], check=True)
    store = store_of(repository)
    assert store.root == tmp_path / "shared"
    assert store.types == ("hardlink", "symlink")
    subprocess.run(["dvc", "config", "--local", "cache.type", "copy"], check=True)
    assert store_of(repository).types == ("copy",)


def test_a_wrong_link_type_is_one_sentence(repository: Path) -> None:
    (repository / ".dvc/config").write_text("[cache]\n    type = teleport\n")
    with pytest.raises(SnowError, match="'teleport'"):
        open_store(repository)


def test_known_hashes_are_handed_to_dvc_so_that_it_reads_nothing(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("dvc.yaml").write_text("stages:\n  make:\n    cmd: 'true'\n    outs: [folder, out.bin]\n")
    outputs = made(repository)
    store = store_of(repository)
    for path, known in outputs.items():
        store.add(path, known)
    read: list[str] = []
    from dvc_data.hashfile import hash as dvc_hash

    original = dvc_hash.file_md5
    monkeypatch.setattr(dvc_hash, "file_md5", lambda path, *rest, **named: read.append(str(path)) or original(path, *rest, **named))
    with dvc_repo.project() as project:
        project.commit(["make"], outputs)
    lock = Path("dvc.lock").read_text()
    assert all(known.md5 in lock for known in outputs.values())
    assert [path for path in read if path.endswith((".txt", ".bin"))] == []


def test_a_commit_of_some_stages_writes_what_dvc_commit_writes(repository: Path) -> None:
    stages = {
        name: {"cmd": "true", "deps": ["in.txt"], "params": ["shared", name], "outs": [f"{name}.txt"]}
        for name in ("first", "second", "third")
    }
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    values = {"shared": {"rate": 5.3e-4, "names": ["yes", "no", None], "text": "a: b # c"}, "first": 1.0, "second": True, "third": "1e-3"}
    locks: list[tuple[bytes, bytes]] = []
    for number, chosen in enumerate((["first", "second"], ["second", "third"])):
        Path("params.yaml").write_text(yaml.safe_dump(values | {"shared": {**values["shared"], "rate": number}}))
        for name in ("in", "first", "second", "third"):
            Path(f"{name}.txt").write_text(f"{name} {number}")
        before = Path("dvc.lock").read_bytes() if number else b""
        subprocess.run(["dvc", "commit", "-q", "-f", *chosen], check=True)
        theirs = Path("dvc.lock").read_bytes()
        Path("dvc.lock").write_bytes(before) if number else Path("dvc.lock").unlink()
        with dvc_repo.project() as project:
            project.commit(chosen, {})
        locks.append((Path("dvc.lock").read_bytes(), theirs))
    assert all(ours == theirs for ours, theirs in locks)
    assert subprocess.run(["dvc", "status", "second", "third"], capture_output=True, text=True, check=True).stdout.count("changed") == 0
    Path("first.txt").rename("tracked.txt")
    subprocess.run(["git", "add", "-f", "tracked.txt", "second.txt"], check=True)
    with dvc_repo.project() as project, pytest.raises(Exception, match=r"second\.txt' is already tracked by SCM"):
        project.commit(["second"], {})


def test_resolved_stages_of_a_matrix(repository: Path) -> None:
    Path("dvc.yaml").write_text(
        "stages:\n  make:\n    matrix: {part: [a, b]}\n    cmd: snakemake x-${item.part}\n    deps: [in]\n    params: [seed]\n"
        "    outs: ['out-${item.part}']\n"
    )
    Path("params.yaml").write_text("seed: 1\n")
    with dvc_repo.project() as project:
        found = {stage.name: stage for stage in project.stages()}
    assert set(found) == {"make@a", "make@b"}
    assert found["make@b"] == dvc_repo.DvcStage("make@b", "snakemake x-b", ("in",), ("out-b",), {"params.yaml": ("seed",)})

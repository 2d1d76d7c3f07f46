"""What decides a job: the spec changes with what it must and with nothing else; reconcile and `why` say so per job."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from snow import digest
from snow import params as settings
from snow.caching import hashes, ledger, spec
from snow.stages import STAGES

from ..conftest import ROOT


@pytest.fixture
def params(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> settings.Params:
    monkeypatch.chdir(tmp_path)
    return settings.load(ROOT / "params.yaml")


def test_the_key_has_the_params_a_stage_reads_and_no_others(params: settings.Params) -> None:
    decided = ledger.Specs(params).of(STAGES["pretrain"], "phase2")
    assert set(decided["params"]) == {"seed", "model", "pretrain.phase2"}


def test_the_key_does_not_know_where_it_runs(params: settings.Params, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    here = ledger.Specs(params).of(STAGES["clean"], "00000")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("HOSTNAME", "another")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert ledger.Specs(params).of(STAGES["clean"], "00000") == here


def test_an_undeclared_param_cannot_be_read(params: settings.Params) -> None:
    view = settings.view(params, STAGES["clean"].reads("00000"), "clean")
    assert view.filters.max_lines
    with pytest.raises(AttributeError, match=r"stage clean reads params\.dedup without declaring it"):
        view.dedup  # noqa: B018


def test_inputs_enter_by_name_and_content(params: settings.Params) -> None:
    decided = ledger.Specs(params).of(STAGES["clean"], "00000")
    one = spec.key(decided, "00000", {"a": ["1"], "b": ["2"]})
    assert one == spec.key(decided, "00000", {"b": ["2"], "a": ["1"]})
    assert one != spec.key(decided, "00000", {"a": ["2"], "b": ["1"]})
    assert one != spec.key(decided, "00001", {"a": ["1"], "b": ["2"]})


def test_a_value_without_a_stable_form_is_an_error() -> None:
    from snow.digest import canonical

    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical({"x": float("nan")})
    with pytest.raises(TypeError):
        canonical({"x": {1, 2}})


def test_a_spec_file_is_rewritten_only_when_it_changes(params: settings.Params) -> None:
    decided = ledger.Specs(params).of(STAGES["clean"], "00000")
    path = spec.path_of(STAGES["clean"], "00000")
    assert spec.write(path, decided)
    written = path.stat().st_mtime_ns
    assert not spec.write(path, decided)
    assert path.stat().st_mtime_ns == written
    assert spec.write(path, decided | {"code": "other"})


def test_causes_are_exact(params: settings.Params, tmp_path: Path) -> None:
    stage = STAGES["clean"]
    source, made = Path("in.bin"), Path("out.bin")
    source.write_bytes(b"1")
    made.write_bytes(b"2")
    decided = ledger.Specs(params).of(stage, "00000")
    told = {
        "stage": "clean",
        "instance": "00000",
        "key": "k",
        "spec": decided,
        "inputs": {"documents": [[str(source), hashes.content(source).md5]]},
        "outputs": {"documents": [str(made), hashes.content(made).md5]},
    }
    Path("receipts/clean").mkdir(parents=True)
    Path("receipts/clean/00000.json").write_text(json.dumps(told))
    (entry,) = ledger.read()
    assert ledger.causes(entry, decided, ledger.workspace([entry])) == []

    changed = json.loads(json.dumps(decided))
    changed["params"]["filters"]["max_lines"] = 7
    (cause,) = ledger.causes(entry, changed, ledger.workspace([entry]))
    assert (cause.kind, cause.what, cause.new) == ("param", "filters.max_lines", 7)

    source.write_bytes(b"11")
    made.unlink()
    found = ledger.causes(entry, decided, ledger.workspace([entry]))
    assert [(cause.kind, cause.what) for cause in found] == [("input", "in.bin"), ("output", "out.bin")]


def test_hashes_are_remembered_until_the_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    read: list[Path] = []
    original = digest.file_md5
    monkeypatch.setattr(digest, "file_md5", lambda path: read.append(path) or original(path))
    Path("file").write_text("one")
    first = hashes.content(Path("file"))
    assert hashes.content(Path("file")) == first
    assert len(read) == 1
    Path("file").write_text("other")
    assert hashes.content(Path("file")) != first
    assert len(read) == 2


def test_what_the_main_process_learns_is_one_file_and_other_processes_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = [Path(str(number)) for number in range(9)]
    for file in files:
        file.write_text(file.name)
    with hashes.packed():
        known = hashes.contents(files)
        os.utime(files[0], ns=(1, 1))
        hashes.remember(files[0], "told")
    assert [path for path in hashes.MEMO.rglob("*") if path.is_file()] == [hashes.PACK]
    hashes._pack.cache_clear()
    monkeypatch.setattr(digest, "file_md5", lambda path: pytest.fail(f"{path} was read again"))
    again = hashes.contents(files)
    assert again.pop(files[0]) == hashes.Content("told", 1)
    assert all(again[file] == known[file] for file in again)
    hashes.remember(files[1], "newer")
    assert hashes.content(files[1]).md5 == "newer"

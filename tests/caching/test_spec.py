"""What decides a job: the spec changes with what it must and with nothing else; reconcile and `why` say so per job."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from snow import digest, sealed, stages
from snow import params as settings
from snow.caching import hashes, ledger, spec

from ..conftest import ROOT


@pytest.fixture
def params(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> settings.Params:
    monkeypatch.chdir(tmp_path)
    return settings.load(ROOT / "params.yaml")


def specs(params: settings.Params) -> ledger.Specs:
    return ledger.Specs(params, stages.graph(params))


def spec_of(params: settings.Params, name: str) -> dict[str, Any]:
    """The spec of the job `stage instance` now."""
    return specs(params).of(stages.graph(params).by_name[name])


def test_the_key_has_the_params_a_stage_reads_and_no_others(params: settings.Params) -> None:
    assert set(spec_of(params, "pretrain phase1")["params"]) == {"seed", "architecture", "models.phase1"}
    assert set(spec_of(params, "pretrain phase2")["params"]) == {"seed", "models.phase2"}, "the weights it begins from have their shape"


def test_the_key_does_not_know_where_it_runs(params: settings.Params, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    here = spec_of(params, "filter 00000")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("HOSTNAME", "another")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert spec_of(params, "filter 00000") == here


def test_an_undeclared_param_cannot_be_read(params: settings.Params) -> None:
    view = settings.view(params, stages.STAGES["filter"].job(params, "00000").params)
    assert view.filters.max_lines
    with pytest.raises(AttributeError, match="dedup"):
        view.dedup  # noqa: B018


def test_inputs_enter_by_name_and_content(params: settings.Params) -> None:
    decided = spec_of(params, "filter 00000")
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
    decided = spec_of(params, "collect 00000")
    path = spec.path_of(stages.STAGES["collect"].job(params, "00000"))
    assert path is not None
    assert spec.path_of(stages.STAGES["filter"].job(params, "00000")) is None, "file times alone carry what changed"
    assert spec.write(path, decided)
    written = path.stat().st_mtime_ns
    assert not spec.write(path, decided)
    assert path.stat().st_mtime_ns == written
    assert spec.write(path, decided | {"code": "other"})


def test_causes_are_exact(params: settings.Params) -> None:
    """Over two jobs of the recipe: what one wrote the other reads."""
    made = {"corpus/partitioned/00000.parquet": b"1", "corpus/signals/00000.parquet": b"2", "corpus/filtered/00000.parquet": b"3"}
    for name, content in {**made, "corpus/decisions/00000.parquet": b"4"}.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(content)
    job = stages.graph(params).by_name["filter 00000"]
    decided = spec_of(params, "filter 00000")
    told = {
        "stage": "filter",
        "instance": "00000",
        "key": "k",
        "spec": decided,
        "inputs": {name: [[path, hashes.content(Path(path)).md5] for path in paths] for name, paths in job.inputs.items()},
        "outputs": {name: [path, hashes.content(Path(path)).md5] for name, path in job.outputs.items()},
    }

    def verdict(**changes: object) -> ledger.Verdict:
        Path(job.receipt).parent.mkdir(parents=True, exist_ok=True)
        Path(job.receipt).write_bytes(sealed.dump(told | changes))
        return ledger.look(params).verdicts["filter 00000"]

    assert verdict().state == "waiting"  # for what nobody vouches
    assert verdict().waits_for == ("measure 00000", "partition all")

    changed = json.loads(json.dumps(decided))
    changed["params"]["filters"]["max_lines"] = 7
    changed["params"]["filters"]["languages"]["HTML"]["max_bytes"] = None  # which is not the same as absent
    causes = verdict(spec=changed).causes
    assert [(cause.kind, cause.what) for cause in causes] == [("param", "filters.languages.HTML.max_bytes"), ("param", "filters.max_lines")]

    fewer = verdict(inputs={"documents": told["inputs"]["documents"]}).causes
    assert fewer == (ledger.Cause("reads", "corpus/signals/00000.parquet", False, True),)

    Path("corpus/partitioned/00000.parquet").write_bytes(b"11")
    Path("corpus/filtered/00000.parquet").unlink()
    found = verdict().causes
    assert [(cause.kind, cause.what) for cause in found] == [
        ("input", "corpus/partitioned/00000.parquet"),
        ("output", "corpus/filtered/00000.parquet"),
    ]

    text = Path(job.receipt).read_text()
    Path(job.receipt).write_text(text.replace('"00000"', '"00001"'))
    assert ledger.look(params).verdicts["filter 00000"].state == "missing", "an edited receipt vouches for nothing"


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

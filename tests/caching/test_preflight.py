"""What DVC would stumble over after the last job is one sentence before the first, and whatever DVC reads passes."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
import yaml
from ruamel.yaml import YAMLError
from voluptuous import Invalid

from snow.caching import locked, preflight
from snow.errors import SnowError

from .. import forked
from ..scenarios import workspace

PIPELINE = """\
stages:
  raw:
    cmd: make raw
    deps: [params.yaml]
    params: [seed]
    outs: [corpus/raw, receipts/raw]
  model:
    matrix: {phase: [one, two]}
    cmd: make ${item.phase}
    outs: ['models/${item.phase}/weights', {report.json: {cache: false}}]
"""
LOCK = """\
schema: '2.0'
stages:
  raw:
    cmd: make raw
    deps:
    - path: params.yaml
      hash: md5
      md5: d41d8cd98f00b204e9800998ecf8427e
      size: 8
    params:
      params.yaml:
        seed: 1
    outs:
    - path: corpus/raw
      hash: md5
      md5: d41d8cd98f00b204e9800998ecf8427e.dir
      size: 8
      nfiles: 1
"""
MERGED = "<<<<<<< HEAD\n{0}=======\n{0}>>>>>>> theirs\n"
BROKEN = {
    "conflict": (("dvc.lock", LOCK.replace("      size: 8\n", MERGED.format("      size: 8\n"), 1)), "--ours dvc.lock"),
    "torn": (("dvc.lock", LOCK[:90]), "`git checkout dvc.lock`"),
    "empty": (("dvc.lock", ""), "or delete it; the next run writes it anew"),
    "zeros": (("dvc.lock", "\0" * 50), "dvc.lock is not valid YAML"),
    "both sides kept": (("dvc.lock", LOCK + LOCK.split("stages:\n")[1]), "dvc.lock, line 19 is not valid YAML (raw is given twice)"),
    "no stages yet": (("dvc.lock", "schema: '2.0'\nstages:\n"), "its stages are no mapping"),
    "stage cut off": (("dvc.lock", LOCK[: LOCK.index("    cmd")]), "stage raw has no cmd"),
    "path cut off": (("dvc.lock", LOCK.replace("    - path: params.yaml\n      hash", "    - hash")), "has no path"),
    "foreign key": (("dvc.lock", LOCK.replace("    deps", "    depends")), "depends is no key of a stage"),
    "schema": (("dvc.lock", LOCK.replace("2.0", "1.0")), "schema: '2.0'"),
    "pipeline conflict": (("dvc.yaml", PIPELINE.replace("    cmd: make raw\n", MERGED.format("    cmd: make raw\n"))), "--theirs dvc.yaml"),
    "pipeline torn": (("dvc.yaml", PIPELINE[:60] + "["), "dvc.yaml"),
    "pipeline twice": (("dvc.yaml", PIPELINE + PIPELINE), "stages is given twice"),
    "pipeline without cmd": (("dvc.yaml", PIPELINE.replace("cmd: make raw", "desc: raw")), "stage raw has no cmd"),
    "configuration conflict": ((".dvc/config", MERGED.format("[core]\n    remote = a\n")), ".dvc/config, line 1: a merge left"),
    "configuration torn": ((".dvc/config", "['remote \"te"), "DVC cannot parse .dvc/config"),
    "configuration twice": ((".dvc/config", "[core]\n    remote = a\n[core]\n    remote = b\n"), "Duplicate section name at line 3"),
    "local configuration": ((".dvc/config.local", "[cache\n"), "DVC cannot parse .dvc/config.local"),
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pipeline of two stages and its lock in git, the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(forked.environments() / "base/bin"), prepend=os.pathsep)
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["dvc", "init", "-q"], check=True)
    Path("dvc.yaml").write_text(PIPELINE)
    Path("dvc.lock").write_text(LOCK)
    Path("params.yaml").write_text("seed: 1\n")
    return tmp_path


def dvc_refuses() -> bool:
    """Whether DVC itself can read the pipeline and its lock."""
    from dvc.config import ConfigError
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            assert list(repo.index.stages)
    except (DvcException, ConfigError):
        return True
    return False


def test_what_dvc_reads_passes(project: Path) -> None:
    preflight.check()
    assert not dvc_refuses()
    Path("dvc.lock").unlink()
    preflight.check()
    Path("dvc.yaml").write_text("vars: [{a: &a {b: &b {c: 1}}, d: {<<: *a, b: {<<: *b, c: 2}}}]\n" + PIPELINE)
    preflight.check()
    assert not dvc_refuses()


@pytest.mark.parametrize("name", BROKEN)
def test_what_dvc_refuses_is_one_sentence(name: str, project: Path) -> None:
    (file, text), says = BROKEN[name]
    Path(file).write_text(text)
    with pytest.raises(SnowError) as refused:
        preflight.check()
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
    assert dvc_refuses()


@pytest.mark.parametrize("begins", ["d41d8cd98f", "41d8cd98f0"])  # what is left of a hash may be a number
def test_a_lock_that_a_killed_dvc_cut_off_anywhere_is_read_or_refused_as_dvc_does(project: Path, begins: str) -> None:
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from dvc.utils.serialize import loads_yaml

    lock = LOCK.replace("d41d8cd98f", begins)
    for end in range(1, len(lock)):
        Path("dvc.lock").write_text(lock[:end])
        try:
            COMPILED_LOCKFILE_SCHEMA(loads_yaml(lock[:end]))
        except (YAMLError, Invalid):
            with pytest.raises(SnowError):
                preflight.check()
        else:
            preflight.check()
            assert {path for path, _ in locked._outs()} <= {"corpus/raw"}


def test_a_file_that_may_not_be_read_is_named(project: Path) -> None:
    Path("dvc.lock").unlink()
    Path("dvc.lock").mkdir()
    with pytest.raises(SnowError, match=r"dvc\.lock cannot be read: Is a directory"):
        preflight.check()


def test_a_lock_of_40_kb_costs_little(project: Path) -> None:
    stage = LOCK.split("stages:\n")[1]
    Path("dvc.lock").write_text(LOCK + "".join(stage.replace("  raw:", f"  raw{number}:") for number in range(40_000 // len(stage))))
    spent = []
    for _ in range(5):
        begun = time.thread_time()
        preflight.check()
        spent.append(time.thread_time() - begun)
    assert min(spent) < 0.05


@pytest.mark.parametrize("text", ["a: 1\nb: [true, 1.0, null, ü]\n", "when: 2026-01-02\n", "1: one\n", "a: .nan\n"])
def test_what_is_remembered_of_a_file_is_what_it_says(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where JSON would say it otherwise, or what is remembered was torn, or the file was edited since."""
    monkeypatch.chdir(tmp_path)
    Path(".snow").mkdir()
    for written in (text, text, text + "more: 2\n", text):
        preflight._remembered.cache_clear()
        preflight.LOCK.write_text(written)
        said = preflight.read(preflight.LOCK)
        assert repr(said) == repr(yaml.safe_load(written)), "keys and types too"
    memo = preflight.MEMO / "dvc.lock.json"
    assert memo.exists() == text.startswith("a: 1")
    if memo.exists():
        memo.write_bytes(memo.read_bytes()[:20])
        preflight._remembered.cache_clear()
        assert repr(preflight.read(preflight.LOCK)) == repr(yaml.safe_load(text))


@pytest.mark.parametrize("folder", ["corpus", "models", "models/two"])
def test_a_link_above_outputs_is_named_with_what_to_do(folder: str, project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    Path(folder).parent.mkdir(exist_ok=True)
    disk = tmp_path_factory.mktemp("disk")
    Path(folder).symlink_to(disk)
    with pytest.raises(SnowError, match=rf"^{folder} is a link to {disk}.*clone onto that disk.*`dvc cache dir.*cache\.type symlink`"):
        preflight.check()


def test_an_output_may_be_a_link_and_so_may_its_files(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    disk = tmp_path_factory.mktemp("disk")
    (disk / "weights").touch()
    Path("corpus").mkdir()
    Path("corpus/raw").symlink_to(disk)
    Path("models/one").mkdir(parents=True)
    Path("models/one/weights").symlink_to(disk / "weights")
    preflight.check()
    done = subprocess.run(["dvc", "commit", "-f"], capture_output=True, text=True, check=False)
    assert "outside of git repository" not in done.stderr


@pytest.fixture
def clone(tmp_path: Path) -> workspace.Clone:
    return workspace.create(tmp_path / "clone")


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("params.yaml", "params.yaml, line 1: a merge left its conflict markers; edit it until it says what you want"),
        ("dvc.lock", "dvc.lock, line 1: a merge left its conflict markers; take one side with `git checkout --ours dvc.lock`"),
        ("dvc.yaml", "dvc.yaml, line 1: a merge left its conflict markers"),
        (".dvc/config", ".dvc/config, line 1: a merge left its conflict markers"),
    ],
)
def test_a_run_says_it_before_its_first_job(file: str, says: str, clone: workspace.Clone) -> None:
    path = clone.path / file
    whole = path.read_text() if path.exists() else LOCK
    path.write_text(MERGED.format(whole))
    done = clone.snakemake("corpus-raw", check=False)
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not (clone.path / "corpus").exists()


def test_a_torn_params_file_and_a_key_given_twice_are_named(clone: workspace.Clone) -> None:
    whole = (clone.path / "params.yaml").read_text()
    for text, says in (
        (whole[:4], "params.yaml: expected a mapping of params at the top level"),
        (whole[: whole.index(":", 200) - 2], "params.yaml, line"),
        (whole + "\nseed: 5\n", "seed is given twice"),
    ):
        (clone.path / "params.yaml").write_text(text)
        done = clone.snakemake("-n", "all", check=False)
        assert done.returncode == 1
        assert says in done.stdout + done.stderr


def test_a_linked_artifact_folder_ends_a_run_before_it_begins(clone: workspace.Clone, tmp_path_factory: pytest.TempPathFactory) -> None:
    disk = tmp_path_factory.mktemp("disk")
    (clone.path / "corpus").symlink_to(disk)
    done = clone.snakemake("corpus-signals", check=False)
    assert done.returncode == 1
    assert f"corpus is a link to {disk}" in done.stderr
    assert not list(disk.iterdir())

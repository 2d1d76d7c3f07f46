"""What is here or named by dvc.lock is used, not made again, and neither tool pulls the files from under the other."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from .workspace import Clone

pytestmark = pytest.mark.slow  # tests/model plays the same on a recipe of seconds

FreshClone = Callable[[Clone, str], Clone]


def pushed(clone: Clone, remote: Path) -> None:
    """The clone's artifacts, without the records of its jobs, in a folder remote."""
    clone.dvc("remote", "add", "-d", "team", str(remote))
    clone.git("commit", "-qam", "a remote")
    clone.dvc("push")


def test_a_comment_trains_nothing_again_in_a_pulled_clone_under_dvc(clone: Clone, fresh_clone: FreshClone, tmp_path: Path) -> None:
    pushed(clone, tmp_path / "remote")
    other = fresh_clone(clone, "other")
    other.dvc("pull")
    other.snakemake("all")  # idle: nothing is recorded in a run that starts no job
    for file, artifact in (("snow/pretrain/stage.py", "models-phase1"), ("snow/corpus/measure.py", "corpus-signals")):
        other.edit(file, "from __future__ import annotations\n", "from __future__ import annotations\n\n# a remark\n")
        assert "Running stage" in other.dvc("repro", artifact).stdout
    assert other.executed() == set()
    other.dvc("repro")
    assert other.executed() == set()
    assert other.contents() == clone.contents()


def test_what_a_pull_brought_is_used_and_what_it_lacks_is_named(clone: Clone, fresh_clone: FreshClone, tmp_path: Path) -> None:
    pushed(clone, tmp_path / "remote")
    lost = hashlib.md5((clone.path / "corpus/signals/00000.parquet").read_bytes()).hexdigest()
    (tmp_path / "remote/files/md5" / lost[:2] / lost[2:]).unlink()
    other = fresh_clone(clone, "other")
    assert other.dvc("pull", check=False).returncode != 0
    planned = other.snakemake("-n", "eval-phase1")
    assert "neither here nor in the cache: corpus/signals;" in planned.stderr
    assert "`dvc pull`" in planned.stderr
    other.snakemake("eval-phase1")
    assert other.executed() == {"measure 00000"}
    assert {
        name: content for name, content in clone.contents().items() if name.startswith("models/phase1")
    }.items() <= other.contents().items()


def test_dvc_leaves_the_files_of_a_running_snakemake_alone(clone: Clone) -> None:
    clone.set_param("filters.max_line_length", 400)
    run = subprocess.Popen(["snakemake", "all"], cwd=clone.path, env=clone.environment(), stderr=subprocess.PIPE, text=True)
    assert run.stderr
    for line in run.stderr:
        if "rule filter" in line:
            break
    repro = clone.dvc("repro", check=False)
    assert repro.returncode != 0
    assert "is busy" in repro.stderr
    assert "snakemake all" in " ".join(repro.stderr.split())
    second = clone.snakemake("all", check=False)
    assert second.returncode != 0
    assert "another snakemake is running" in second.stderr
    assert '", line ' not in second.stderr
    assert "snow commit" not in second.stderr
    run.stderr.read()
    assert run.wait(600) == 0
    assert clone.nothing_to_do()


def test_a_snakemake_beside_dvc_starts_nothing(clone: Clone) -> None:
    clone.set_param("filters.max_line_length", 400)
    repro = subprocess.Popen(["dvc", "repro"], cwd=clone.path, env=clone.environment(), stdout=subprocess.PIPE, text=True)
    assert repro.stdout
    for line in repro.stdout:
        if "Running stage 'corpus-filtered'" in line:
            break
    beside = clone.snakemake("report", check=False)
    assert beside.returncode != 0
    assert re.search("another snakemake is running|a dvc command is at work", beside.stderr)
    repro.stdout.read()
    assert repro.wait(600) == 0
    assert clone.nothing_to_do()


def test_damage_through_a_hard_link_is_never_handed_out(clone: Clone) -> None:
    clone.dvc("config", "cache.type", "hardlink")
    subprocess.run(["rm", "-rf", str(clone.path / "corpus/filtered")], check=True)
    clone.snakemake("all")
    before = clone.contents()
    victim = clone.path / "corpus/filtered/00001.parquet"
    assert victim.stat().st_nlink > 1
    clone.set_param("filters.max_line_length", 400)
    clone.snakemake("all")
    clone.set_param("filters.max_line_length", 1000)
    clone.snakemake("all")
    assert clone.contents() == before
    victim.chmod(0o644)
    with victim.open("r+b") as file:
        file.write(b"damage")
    clone.set_param("filters.max_line_length", 400)
    clone.snakemake("all")
    clone.set_param("filters.max_line_length", 1000)
    clone.snakemake("all")
    assert clone.contents() == before
    assert clone.nothing_to_do()
    for stage in yaml.safe_load((clone.path / "dvc.lock").read_text())["stages"].values():
        for out in stage["outs"]:
            if out["path"] == "corpus/filtered":
                cache = clone.path / ".dvc/cache/files/md5"
                listing = json.loads((cache / out["md5"][:2] / out["md5"][2:]).read_bytes())
                for entry in listing:
                    md5 = entry["md5"]
                    assert hashlib.md5((cache / md5[:2] / md5[2:]).read_bytes()).hexdigest() == md5

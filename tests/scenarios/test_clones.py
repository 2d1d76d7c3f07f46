"""S5, S6, S7, S11, S12, S15: clones, pulls, checkouts and two front doors agree."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from snow.stages import STAGES

from . import workspace
from .workspace import Clone

FreshClone = Callable[[Clone, str], Clone]


def shared(clone: Clone, remote: Path) -> None:
    """Give the clone a DVC remote in a folder and push everything, the run-cache too."""
    clone.dvc("remote", "add", "-d", "team", str(remote))
    clone.git("commit", "-qam", "a remote")
    clone.dvc("push", "--run-cache")


def test_s5_a_pulled_clone_has_nothing_to_do(clone: Clone, fresh_clone: FreshClone, tmp_path: Path) -> None:
    shared(clone, tmp_path / "remote")
    other = fresh_clone(clone, "other")
    other.dvc("pull")
    assert other.nothing_to_do()


def test_s6_one_more_source_file_executes_one_job_per_stage(clone: Clone, fresh_clone: FreshClone, tmp_path: Path) -> None:
    """A pull of the artifacts alone, without the run-cache, is enough for that."""
    shared(clone, tmp_path / "remote")
    other = fresh_clone(clone, "other")
    other.dvc("pull")
    workspace.write_tables(other.path, workspace.ADDED)
    other.snakemake("corpus-decontaminated")
    assert sorted(job.split()[0] for job in other.executed()) == sorted(
        ["collect", "partition", "measure", "filter", "minhash", "duplicates", "unique", "decontaminate"]
    )


def test_s6_with_many_shards_no_job_is_started_that_has_nothing_to_do(clone: Clone) -> None:
    """What costs minutes with a thousand shards: here two are many."""
    clone.edit("snow/caching/cutoff.py", "MANY = 50", "MANY = 1")
    workspace.write_tables(clone.path, workspace.ADDED)
    planned = clone.snakemake("-n", "corpus-decontaminated")
    assert re.search(r"unique +2\n", planned.stdout)
    done = clone.snakemake("--verbose", "corpus-decontaminated")
    started = re.findall(r"(?m)^Finished jobid: .* \(Rule: (\S+)\)$", done.stderr)
    assert sorted(rule for rule in started if rule in STAGES) == sorted(job.split()[0] for job in clone.executed())
    assert {"corpus-duplicates", "unique", "decontaminate"} <= set(started)


def test_s7_the_run_cache_restores_everything_without_computing(clone: Clone, fresh_clone: FreshClone, tmp_path: Path) -> None:
    shared(clone, tmp_path / "remote")
    other = fresh_clone(clone, "other")
    other.dvc("pull", "--run-cache", check=False)
    for out in ("corpus", "models", "receipts", "eval", "report"):
        subprocess.run(["rm", "-rf", str(other.path / out)], check=True)
    other.snakemake("all")
    assert other.executed() == set()
    assert other.contents() == clone.contents()
    assert other.nothing_to_do()


def test_s11_either_front_door_after_the_other(clone: Clone) -> None:
    clone.set_param("models.phase3.tokens", 1024)
    clone.dvc("repro")
    assert "pretrain phase3" in clone.executed()
    assert clone.nothing_to_do()
    clone.set_param("models.phase3.tokens", 2048)
    clone.snakemake("all")
    repeated = clone.dvc("repro")
    assert "Data and pipelines are up to date" in repeated.stdout
    assert clone.executed() == set()


def test_s12_a_checkout_of_an_older_state_has_nothing_to_do(clone: Clone) -> None:
    clone.set_param("models.phase3.tokens", 1024)
    clone.snakemake("all")
    clone.git("commit", "-qam", "a shorter phase")
    clone.git("checkout", "-q", "HEAD~1")
    clone.dvc("checkout")
    clone.executed()
    assert clone.nothing_to_do()


def test_s15_two_runs_in_two_clones_share_one_cache(clone: Clone, fresh_clone: FreshClone, tmp_path: Path) -> None:
    clones = [fresh_clone(clone, name) for name in ("one", "two")]
    for each in clones:
        each.dvc("cache", "dir", "--local", str(tmp_path / "cache"))
    runs = [subprocess.Popen(["snakemake", "corpus-decontaminated"], cwd=each.path, env=each.environment()) for each in clones]
    assert [run.wait(600) for run in runs] == [0, 0]
    expected = {name: content for name, content in clone.contents().items() if name.startswith("corpus/decontaminated")}
    for each in clones:
        assert {name: content for name, content in each.contents().items() if name in expected} == expected
    jobs = [job for each in clones for job in each.executed()]
    assert all(jobs.count(job) <= 2 for job in jobs)

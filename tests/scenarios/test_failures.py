"""S13, S14: killed at any moment or damaged anywhere, the next run completes with the bytes of an uninterrupted one."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from . import workspace
from .workspace import Clone


@pytest.mark.parametrize(("kills", "target"), [(4, "eval-phase1"), pytest.param(20, "all", marks=pytest.mark.slow)])
def test_s13_kill_9_at_random_moments(finished: Clone, tmp_path: Path, kills: int, target: str) -> None:
    """In turn the whole run with everything it started, and one of its jobs alone, after which the run ends by itself."""
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    choose = random.Random(seed)
    clone, under_way = workspace.create(tmp_path / "clone"), 0
    for kill in range(kills):
        run = subprocess.Popen(
            ["snakemake", target],
            cwd=clone.path,
            env=clone.environment(),
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            run.wait(choose.uniform(2, 10 if target == "all" else 6))
        except subprocess.TimeoutExpired:
            under_way += 1
            if kill % 2 == 0 or not _kill_one_job(clone, choose):
                os.killpg(run.pid, signal.SIGKILL)
            run.wait(300)
        _all_gone(clone)
        _no_partial_file(clone, finished)
    assert under_way > kills / 2
    clone.snakemake(target)
    made = {name for name in finished.contents() if target == "all" or name.startswith(("corpus/", "models/phase1/", "eval/phase1/"))}
    assert made <= set(clone.contents()) <= set(finished.contents())
    _no_partial_file(clone, finished)
    assert clone.nothing_to_do(target)


def _kill_one_job(clone: Clone, choose: random.Random) -> bool:
    """SIGKILL to one `snow` process of a clone, what is forked for it included; False when none is there."""
    jobs = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = process.cmdline()
            if process.cwd() == str(clone.path) and any(word == "snow" or word.endswith("/snow") for word in words[:3]):
                jobs.append(process)
    if not jobs:
        return False
    with contextlib.suppress(psutil.NoSuchProcess):
        choose.choice(jobs).kill()
    return True


def _all_gone(clone: Clone) -> None:
    """Wait for what was killed in a clone: the processes of a forked program follow it in a moment."""
    inside = str(clone.path)
    for _ in range(200):
        folders = [process.info["cwd"] or "" for process in psutil.process_iter(["cwd"])]
        if not any(folder.startswith(inside) for folder in folders):
            return
        time.sleep(0.05)
    raise AssertionError(f"processes go on in {inside}")


def _no_partial_file(clone: Clone, finished: Clone) -> None:
    """Every visible file has the bytes of the uninterrupted run; what follows from generation, a measurement, has its own."""
    whole = finished.contents()
    for name, content in clone.contents().items():
        if not workspace.measured(name):
            assert content == whole[name], f"{name} was visible half-written"


def test_s14_a_damaged_workspace_file_is_recomputed_or_restored(clone: Clone) -> None:
    before = clone.contents()
    victim = clone.path / "corpus/filtered/00000.parquet"
    victim.write_bytes(b"not a table")
    time.sleep(0.01)
    assert "corpus/filtered/00000.parquet changed" in clone.snow("why", "corpus-filtered", check=False).stdout
    clone.snakemake("all")
    assert clone.contents() == before


def test_s14_a_damaged_cache_object_is_named_and_never_passed_on(clone: Clone) -> None:
    before = clone.contents()
    folder = clone.path / "corpus/filtered"
    for file in folder.glob("*.parquet"):
        md5 = hashlib.md5(file.read_bytes()).hexdigest()
        cached = clone.path / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
        cached.chmod(0o644)
        cached.write_bytes(b"damaged" + cached.read_bytes()[7:])
    subprocess.run(["rm", "-rf", str(folder)], check=True)
    clone.snakemake("all")
    assert clone.executed() == {"filter 00000", "filter 00001"}
    assert "damaged" in (clone.path / "logs/filter/00000.log").read_text()
    assert clone.contents() == before


@pytest.mark.parametrize("content", [None, ""])
def test_a_suite_without_tasks_ends_a_run_before_its_first_job(tmp_path: Path, content: str | None) -> None:
    clone = workspace.create(tmp_path / "clone")
    if content is not None:
        (clone.path / "data/tasks.jsonl").write_text(content)
        clone.set_param("evaluation.suites.humaneval.sha256", hashlib.sha256(content.encode()).hexdigest())
    clone.set_param("evaluation.suites.humaneval.data", "data/tasks.jsonl")
    done = clone.snakemake("all", check=False)
    assert done.returncode == 1
    assert "evaluation.suites.humaneval.data" in done.stderr
    assert clone.executed() == set()

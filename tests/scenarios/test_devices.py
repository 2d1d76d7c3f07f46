"""The recipe on a machine with eight GPUs: jobs side by side, each with GPUs of its own, and what does not fit is refused at once.

The GPUs are names and the bodies only write down which they got; rules, scheduling, command lines and leases are the real ones.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from snow import devices
from snow.stages import STAGES

from . import workspace
from .workspace import Clone

GPUS = [f"gpu{number}" for number in range(8)]
BODY = '''\
"""A stage that writes down which GPUs it has, and goes on when as many of its kind are under way as there are said to be."""

import json, os, time
from pathlib import Path

TOGETHER = {"score": 8, "pretrain": 2}


def run(job):
    for path in job.outputs.values():
        if path.suffix:
            path.write_text(job.instance)
        else:
            path.mkdir(parents=True)
            for shard in range(8):
                (path / f"{shard:05}.parquet").write_text(job.instance)
    folder = Path("under-way", STAGE)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / job.instance.replace("/", "-")).write_text(json.dumps(os.environ.get("CUDA_VISIBLE_DEVICES")))
    wanted = TOGETHER.get(STAGE, 0) if job.instance != "phase1" else 0
    for _ in range(600):
        if len([path for path in folder.iterdir() if path.name != "phase1"]) >= wanted:
            return {}
        time.sleep(0.1)
    raise TimeoutError(f"{STAGE}: only {sorted(path.name for path in folder.iterdir())} run side by side")
'''


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """A new clone with eight shards whose stages have that body."""
    made = workspace.create(tmp_path / "clone")
    made.set_param("shards", 8)
    for stage in STAGES.values():
        (made.path / f"{stage.module.replace('.', '/')}.py").write_text(f"STAGE = {stage.name!r}\n" + BODY)
    return made


def run(clone: Clone, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """`snakemake WORDS` on that machine."""
    given = {devices.VISIBLE: ",".join(GPUS), devices.FOLDER: str(clone.path / "leases")}
    return clone.run("snakemake", "--cores", "32", *words, check=check, **given)


def had(clone: Clone, stage: str) -> Mapping[str, list[str]]:
    """The GPUs that each job of a stage had."""
    folder = clone.path / "under-way" / stage
    told = {path.name: json.loads(path.read_text()) for path in folder.iterdir()}
    return {name: names.split(",") if names else [] for name, names in told.items()}


@pytest.mark.slow
def test_each_job_has_gpus_of_its_own(clone: Clone) -> None:
    run(clone, "quality-hqins-scores", "models-phase2", "models-control", "--set-resources", "pretrain:gpu=4")
    scores = had(clone, "score")
    assert sorted(name for names in scores.values() for name in names) == GPUS, "eight at once, none shared"
    trained = had(clone, "pretrain")
    assert len(trained["phase1"]) == 4
    assert sorted(trained["phase2"] + trained["control"]) == GPUS


def test_what_asks_for_more_than_there_are_is_refused_before_anything_runs(clone: Clone) -> None:
    asked = ("models-phase1", "--set-resources", "pretrain:gpu=9")
    sentence = "pretrain asks for 9 GPUs, and there are 8 here; give it fewer with --set-resources pretrain:gpu=N"
    done = run(clone, *asked, check=False)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert not (clone.path / "under-way").exists()
    dry = run(clone, "-n", *asked)
    assert sentence in dry.stderr
    fewer = run(clone, "models-phase1", "--resources", "gpu=2", "--set-resources", "pretrain:gpu=3", check=False)
    assert "pretrain asks for 3 GPUs, and there are 2 here" in fewer.stderr

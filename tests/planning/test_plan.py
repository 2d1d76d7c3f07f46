"""`snow plan` before a first run, at every scale: all is estimated, and what is said agrees with what was measured."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from snow import params as settings
from snow.planning import estimate, plan, units
from snow.planning.estimate import Machine, Task
from snow.stages import STAGES

from ..scenarios import workspace
from ..scenarios.workspace import Clone

MACHINE = Machine(cores=2, gpus=1, kind="h100", slowness=1.0)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in which nothing has run, at the params of the pocket run."""
    return workspace.create(tmp_path_factory.mktemp("planning") / "clone", tiny=False)


def told(clone: Clone, *options: str) -> dict[str, Any]:
    done = clone.snow("plan", "--json", *options, check=False)
    assert done.returncode == 1, done.stderr
    return json.loads(done.stdout)


def test_the_table_has_every_stage() -> None:
    assert set(units.table().stages) == set(STAGES)


@pytest.mark.parametrize("scale", ["", "small", "node", "paper"])
def test_nothing_is_unknown_before_a_first_run(clone: Clone, scale: str) -> None:
    found = told(clone, *(["--configfile", f"scales/{scale}.yaml", "--gpus", "8"] if scale else []))
    unused = {"obtain"} if scale == "paper" else {"obtain", "redact"}  # nothing is compared with; redaction is the paper's scale alone
    assert {line["stage"] for line in found["stages"]} == set(STAGES) - unused
    assert found["unknown"] == []
    for line in found["stages"]:
        assert all(line[name] is not None and line[name] >= 0 for name in ("core_seconds", "gpu_seconds", "wall_seconds", "bytes")), line
        assert line["core_seconds"] + line["gpu_seconds"] > 0
    assert found["total"]["wall_seconds"] >= max(line["wall_seconds"] for line in found["stages"]) * 0.999
    assert all(line["gpu_seconds"] == 0 for line in found["stages"]) is (scale == "")


def test_a_base_model_that_was_never_fetched_is_planned_by_the_size_in_its_name(clone: Clone) -> None:
    found = told(clone, "--configfile", "scales/small.yaml", "experiments/continue.yaml")
    assert found["unknown"] == []
    assert {one["model"]: one["parameters"] for one in found["training"]} == dict.fromkeys(("phase2", "control", "phase3"), 135e6)
    assert all(one["tokens_per_second"] > 0 for one in found["training"])


def test_the_papers_gpu_hours_follow_from_the_speed_that_was_measured(clone: Clone) -> None:
    found = told(clone, "--configfile", "scales/paper.yaml", "--gpus", "32", "--gpu-price", "2")
    trained = sum(one["tokens"] for one in found["training"])
    hours = next(line["gpu_seconds"] for line in found["stages"] if line["stage"] == "pretrain") / 3600
    assert hours == pytest.approx(trained / 43_900 / 3600, rel=0.02), "validations come on top"
    assert [one["tokens_per_second"] for one in found["training"]] == pytest.approx([32 * 43_900] * 4, rel=0.01)


@pytest.mark.parametrize("scale", ["small", "node", "paper"])
def test_the_proportions_of_a_scale_need_no_warning(clone: Clone, scale: str) -> None:
    found = told(clone, "--configfile", f"scales/{scale}.yaml", "--gpus", "8")["proportions"]
    assert [one for one in found if one["warning"]] == []
    ratios = {one["name"]: one["value"] for one in found}
    assert ratios["unique tokens of best per parameter"] >= 1
    assert ratios["passes over best"] == pytest.approx(4, rel=0.01), "the paper's Table 6"


def test_proportions_that_are_far_off_are_warned_of(clone: Clone, tmp_path: Path) -> None:
    changes = {"selections": {"best": {"tokens": 7_000_000}}, "models": {"phase1": {"schedule": {"max_lr": 6.0e-3}, "tokens": 200_000_000}}}
    (tmp_path / "far.yaml").write_text(yaml.safe_dump(changes))
    said = clone.snow("plan", "--configfile", "scales/small.yaml", str(tmp_path / "far.yaml"), check=False).stdout
    assert "warning: phase1: tokens per parameter is 2.05: fewer than 20" in said
    assert "warning: phase1: max_lr is 0.006: a run of this size would take about 2" in said
    assert "warning: phase2: unique tokens of best per parameter is 0.0718: at 4.0 passes it learns them by heart" in said


@pytest.mark.parametrize(("scale", "shards"), [("small", 16), ("node", 64)])
def test_own_sources_are_all_that_a_scale_needs(clone: Clone, tmp_path: Path, scale: str, shards: int) -> None:
    source = {"name": "mine", "kind": "folder", "paths": [str(Path(json.__file__).parent)], "license": "PSF-2.0"}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"sources": [source]}))
    overlays = ["--configfile", f"scales/{scale}.yaml", str(tmp_path / "mine.yaml")]
    assert re.search(rf"(?m)^score +{shards}$", clone.snakemake("-n", "all", *overlays).stdout)
    warned = {one["name"] for one in told(clone, *overlays)["proportions"] if one["warning"]}
    assert {"tokens per parameter", "passes over corpus"} & warned, "50 kB are too few"


def test_a_source_of_unknown_size_is_named_with_the_param_that_would_tell(clone: Clone, tmp_path: Path) -> None:
    source = {"name": "elsewhere", "kind": "huggingface", "paths": ["team/code"], "fields": {"content": "text"}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"sources": [source]}))
    said = clone.snow("plan", "--configfile", "scales/small.yaml", str(tmp_path / "mine.yaml"), check=False).stdout
    assert "not known: how large the source elsewhere is; say it as its `size_gb` in params" in said
    assert "pretrain" in next(line for line in said.splitlines() if "of the h100's peak" in line), "what does not depend on it is told"


def test_the_table_fits_into_100_columns(clone: Clone) -> None:
    for scale in ("small", "node", "paper"):
        lines = clone.snow("plan", "--configfile", f"scales/{scale}.yaml", check=False).stdout.splitlines()
        assert [line for line in lines if len(line) > 100 and not line.startswith("warning")] == []


def test_configfile_and_config_mean_what_they_mean_to_snakemake(clone: Clone, tmp_path: Path) -> None:
    for name, seed in (("one", 5), ("two", 6)):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump({"seed": seed, "selections": {"best": {"tokens": 1000 * seed}}, "shards": 3}))
    options = ["--configfile", str(tmp_path / "one.yaml"), str(tmp_path / "two.yaml"), "--config", "shards=2", "notebooks=json"]
    clone.snakemake("-n", *options)
    frozen = max((clone.path / ".snow/params").glob("*.yaml"), key=lambda path: path.stat().st_mtime_ns)
    base = clone.path / "params.yaml"
    asked = plan.Asked(base, [Path(word) for word in options[1:3]], options[4:], None, None, "h100", None, False)
    assert plan.merged(settings.read(base), asked) == settings.load(frozen)


def test_jobs_wait_for_others_and_for_room() -> None:
    asked = {"a": (2.0, 1, 0), "b": (3.0, 1, 0), "c": (1.0, 2, 0), "d": (4.0, 1, 1), "e": (1.0, 1, 1)}
    tasks = {name: Task(*one, spent=0.0) for name, one in asked.items()}
    upstream = {"a": [], "b": [], "c": ["a"], "d": ["c"], "e": ["c"]}
    assert estimate.makespan({name: tasks[name] for name in "ab"}, upstream, MACHINE) == 3.0
    assert estimate.makespan({name: tasks[name] for name in "abc"}, upstream, MACHINE) == 4.0, "c needs both cores"
    assert estimate.makespan(tasks, upstream, MACHINE) == 9.0, "d and e share one GPU"
    assert math.isnan(estimate.makespan({"a": Task(math.nan, 1, 0, math.nan)}, {"a": []}, MACHINE))


def test_a_gpu_that_is_not_in_the_table_is_told_those_that_are(clone: Clone) -> None:
    done = clone.snow("plan", "--gpu", "abacus", check=False)
    assert done.returncode == 2
    assert "has no such GPU, only h100, h200, a100" in done.stderr

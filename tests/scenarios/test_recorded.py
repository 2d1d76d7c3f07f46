"""What dvc.lock and DVC's run-cache hold is what was used, whichever way params reached a run and whatever part of it ran."""

from __future__ import annotations

import json
import subprocess
import time

import pytest
import yaml

from .workspace import Clone

BITS = "evaluation.bits.max_tokens"


def lock(clone: Clone) -> dict:
    return yaml.safe_load((clone.path / "dvc.lock").read_text())["stages"]


def changed(clone: Clone) -> set[str]:
    """The stages `dvc status` names."""
    return set(json.loads(clone.dvc("status", "--json").stdout))


@pytest.mark.slow  # minutes; `test_contributing` has an arm, `tests/model` overlays
def test_an_overlay_is_not_recorded_as_params_yaml(clone: Clone) -> None:
    (clone.path / "overlay.yaml").write_text(yaml.safe_dump({"evaluation": {"bits": {"max_tokens": 1024}}}))
    before, base = lock(clone), clone.contents()
    done = clone.snakemake("--configfile", "overlay.yaml", "--config", "report={title: Overlaid}", "--", "all")
    assert "bits phase1" in clone.executed()
    assert lock(clone) == before
    assert f"param {BITS}: 1024 -> 2048" in done.stderr
    assert changed(clone) == {"eval-phase1", "eval-phase2", "eval-control", "eval-phase3", "report"}
    assert clone.outdated() == {"bits", "report"}

    clone.dvc("repro", "eval-phase1")
    assert clone.executed() == set()
    path = "eval/phase1/bits.json"
    assert clone.contents()[path] == base[path]
    clone.snakemake("all")
    assert clone.executed() == set()
    assert clone.contents() == base
    assert lock(clone) == before
    assert clone.nothing_to_do()


@pytest.mark.slow
def test_an_edit_while_a_run_is_going_on_concerns_the_next(clone: Clone) -> None:
    clone.set_param(BITS, 1024)
    frozen = set((clone.path / ".snow/params").iterdir())
    run = subprocess.Popen(["snakemake", "all"], cwd=clone.path, env=clone.environment(), stderr=subprocess.DEVNULL)
    while set((clone.path / ".snow/params").iterdir()) == frozen and run.poll() is None:
        time.sleep(0.05)
    clone.set_param(BITS, 512)
    assert run.wait(600) == 0
    recorded = lock(clone)["eval-phase1"]["params"]["params.yaml"]["evaluation.bits"]
    assert recorded["max_tokens"] == 2048, "what was made with 1024 is not recorded beside 512"
    receipts = [json.loads(path.read_bytes()) for path in (clone.path / "receipts/bits").glob("*.json")]
    assert {told["spec"]["params"]["evaluation.bits"]["max_tokens"] for told in receipts} == {1024}
    clone.snakemake("all")
    assert lock(clone)["eval-phase1"]["params"]["params.yaml"]["evaluation.bits"]["max_tokens"] == 512
    assert clone.nothing_to_do()


def test_dvc_does_not_record_what_a_profile_overlaid(clone: Clone) -> None:
    (clone.path / "overlaid").mkdir()
    settings = yaml.safe_load((clone.path / "profiles/default/config.yaml").read_text())
    (clone.path / "overlay.yaml").write_text(yaml.safe_dump({"evaluation": {"bits": {"max_tokens": 1024}}}))
    (clone.path / "overlaid/config.yaml").write_text(yaml.safe_dump(settings | {"configfile": ["overlay.yaml"]}))
    before = lock(clone)
    clone.set_param("report.title", "another")
    done = clone.run("dvc", "repro", "report", check=False, SNAKEMAKE_PROFILE="overlaid")
    assert done.returncode != 0
    assert "write them into params.yaml" in done.stdout + done.stderr
    assert lock(clone) == before


@pytest.mark.slow
def test_a_part_of_an_artifact_is_not_recorded_as_the_whole(clone: Clone) -> None:
    subprocess.run(
        ["rm", "-rf", *(str(clone.path / name) for name in ("dvc.lock", "corpus", "receipts", ".snow", ".snakemake"))], check=True
    )
    clone.snakemake("corpus/raw/00000.parquet")
    assert "corpus-raw" not in (lock(clone) if (clone.path / "dvc.lock").exists() else {})
    clone.dvc("repro", "corpus-signals")
    assert {"corpus-raw", "corpus-signals"} <= set(lock(clone))
    assert {"corpus-raw", "corpus-signals"}.isdisjoint(changed(clone))
    clone.executed()
    assert "didn't change" in clone.dvc("repro", "corpus-signals").stdout


@pytest.mark.slow
def test_a_suite_is_added_in_params_alone_and_nothing_trains_again(clone: Clone) -> None:
    """And what was made before it is not taken for made with it."""
    suites = clone.params()["evaluation"]["suites"]
    clone.set_param("evaluation.suites", suites | {"again": suites["humaneval"]})
    assert "suites" in changed(clone)
    assert clone.planned() == clone.outdated("outdated", "missing", "waiting") >= {"suite", "decontaminate", "complete"}
    plan = json.loads(clone.snow("plan", "--json", check=False).stdout)
    assert any("phase1" in warning and "suites/again.jsonl" in warning for warning in plan["warnings"])
    clone.snakemake("suites")
    assert "corpus-decontaminated" in changed(clone)
    assert "decontaminate" in clone.outdated()
    clone.snakemake("all")
    executed = {job.partition(" ")[0] for job in clone.executed()}
    assert {"suite", "decontaminate", "complete", "judge", "bits", "mutate", "preference"} <= executed
    assert executed.isdisjoint({"pretrain", "pack", "tokenizer", "holdout", "score", "select", "generate"})
    assert clone.nothing_to_do()
    before = clone.contents()
    clone.set_param("evaluation.suites", suites)
    clone.snakemake("all")
    assert clone.executed() == set()
    assert not (clone.path / "suites/again.jsonl").exists()
    assert "Data and pipelines are up to date" in clone.dvc("repro").stdout
    clone.set_param("evaluation.suites", suites | {"again": suites["humaneval"]})
    clone.dvc("repro")
    assert clone.executed() == set()
    assert clone.contents() == before
    assert clone.nothing_to_do()

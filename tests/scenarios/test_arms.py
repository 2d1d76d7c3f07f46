"""Arms are data: an overlay adds some, only what they add is executed, and without it nothing of them is left."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from snow import params as settings
from snow import stages
from tests.evaluate.peers import gpt2, starcoder

from .workspace import ROOT, Clone

ARMS = {
    "selections": {"fewer": {"like": "best", "tokens": {"of": "selections.best.tokens", "times": 0.5}}},
    "token_sets": {"fewer": {"like": "best", "documents": "fewer"}},
    "models": {
        "constant": {"like": "phase2", "schedule": {"kind": "constant"}},
        "linear": {"like": "phase2", "schedule": {"kind": "linear", "warmup_steps": 0}},
        "fewer": {"like": "phase2", "train_on": "fewer"},
        "mixed": {"like": "phase2", "train_on": {"best": 0.8, "synthetic": 0.2}},
    },
    "report": {"compare": [["phase2", "control"], ["mixed", "phase2"]]},
}
EXPECTED = {
    "grouping": {"pack": 2, "pretrain": 1, "complete": 1, "judge": 1, "bits": 1, "preference": 1, "report": 1},
    "peers": {"obtain": 3, "pack": 6, "complete": 3, "judge": 3, "bits": 3, "preference": 3, "report": 1},
    "schedules": {"pretrain": 3, "complete": 3, "judge": 3, "bits": 3, "preference": 3, "report": 1},
    "repetitions": {"select": 5, "pack": 10, "pretrain": 6, "complete": 6, "judge": 6, "bits": 6, "preference": 6, "report": 1},
}


def jobs_of(names: tuple[str, ...]) -> set[str]:
    """What the named arms alone need."""
    own = {f"{stage} {name}{rest}" for name in names for stage, rest in (("pretrain", ""), ("bits", ""))}
    return own | {f"{stage} {name}/humaneval" for name in names for stage in ("complete", "judge", "preference")}


@pytest.mark.slow  # minutes; `test_contributing` has an arm, `tests/model` overlays
def test_four_arms_execute_their_own_jobs_and_leave_nothing(clone: Clone) -> None:
    before, lock = clone.contents(), (clone.path / "dvc.lock").read_bytes()
    (clone.path / "arms.yaml").write_text(yaml.safe_dump(ARMS))
    clone.snakemake("--configfile", "arms.yaml", "--", "all")
    packed = {"select fewer", *(f"pack fewer/{shard:05}" for shard in range(2))}
    assert clone.executed() == {*jobs_of(("constant", "linear", "fewer", "mixed")), *packed, "report all"}
    assert (clone.path / "dvc.lock").read_bytes() == lock
    assert {name: content for name, content in clone.contents().items() if name in before and "report" not in name} == {
        name: content for name, content in before.items() if "report" not in name
    }
    page = (clone.path / "report/tables.md").read_text()
    assert all(f"| {name} | phase1 |" in page for name in ARMS["models"])
    sets = json.loads((clone.path / "receipts/pretrain/mixed.json").read_text())["facts"]["sets"]
    assert {name: facts["share"] for name, facts in sets.items()} == {"best": 0.8, "synthetic": 0.2}

    clone.snakemake("all")
    assert clone.executed() == set()
    assert clone.contents() == before
    assert not [path for path in clone.path.glob("*/*") if path.name in ARMS["models"]]
    assert clone.nothing_to_do()
    clone.snakemake("--configfile", "arms.yaml", "--", "all")
    assert clone.executed() == set(), "taken up again, they come out of the cache"


@pytest.mark.parametrize("experiment", EXPECTED)
def test_an_experiment_needs_its_arms_alone(experiment: str, finished: Clone) -> None:
    done = finished.snakemake("-n", "--configfile", f"experiments/{experiment}.yaml", "--", "all")
    counts = re.findall(r"(?m)^(\w+) +(\d+)$", (done.stdout + done.stderr).partition("Job stats")[2])
    assert {rule: int(number) for rule, number in counts if rule in stages.STAGES} == EXPECTED[experiment]


def test_every_experiment_lies_on_every_scale() -> None:
    overlays = [None, *sorted((ROOT / "scales").glob("*.yaml"))]
    for scale in overlays:
        for experiment in sorted((ROOT / "experiments").glob("*.yaml")):
            words = [str(path) for path in (scale, experiment) if path]
            done = subprocess.run(
                [ROOT / ".envs/base/bin/python", "-m", "snow", "params", *words], cwd=ROOT, capture_output=True, text=True, check=True
            )
            assert stages.graph(settings.check(yaml.safe_load(done.stdout), experiment.name)).jobs


@pytest.mark.slow
def test_a_model_of_others_executes_its_own_jobs_through_dvc_too(clone: Clone) -> None:
    before = clone.contents()
    gpt2(clone.path / "published/gpt2")
    clone.set_param("evaluation.compare_with", {"peer": {"pretrained": "published/gpt2"}})
    clone.snow("check", "--fix")
    clone.dvc("repro")
    packed = {f"pack heldout-peer/{shard:05}" for shard in range(2)}
    own = {"obtain peer", "complete peer/humaneval", "judge peer/humaneval", "preference peer/humaneval", "bits peer"}
    assert clone.executed() == {*own, *packed, "report all"}
    assert clone.nothing_to_do()
    after = clone.contents()
    assert {name for name, content in before.items() if after.get(name) != content and "report" not in name} == set()
    assert "| peer (compared) |" in (clone.path / "report/tables.md").read_text()


@pytest.mark.slow
def test_phases_2_and_3_go_on_from_a_model_of_others(clone: Clone) -> None:
    """experiments/continue.yaml, with a folder in place of the hub's name."""
    starcoder(clone.path / "published/base")
    text = (ROOT / "experiments/continue.yaml").read_text()
    (clone.path / "ours.yaml").write_text(text.replace("HuggingFaceTB/SmolLM2-135M", "./published/base"))
    clone.snakemake("--configfile", "ours.yaml", "--", "all")
    done = clone.executed()
    assert {"obtain base", "pretrain phase2", "pretrain control", "pretrain phase3", "bits base", "complete base/humaneval"} <= done
    assert not {one for one in done if one.split()[0] in ("collect", "measure", "decontaminate", "annotate", "score", "tokenizer")}
    config = json.loads((clone.path / "models/phase3/config.json").read_text())
    assert config["architectures"] == ["Starcoder2ForCausalLM"]
    assert "| phase2 | base |" in (clone.path / "report/tables.md").read_text()
    clone.snakemake("all")
    assert clone.executed() == set(), "without the overlay all is as it was"


@pytest.mark.slow
def test_params_become_the_committed_truth_and_dvc_experiments_work(clone: Clone) -> None:
    """`snow params OVERLAY > params.yaml`, then `dvc repro`; and `dvc exp run -S`, from DVC's own command line."""
    (clone.path / "arms.yaml").write_text(yaml.safe_dump({"models": {"constant": ARMS["models"]["constant"]}}))
    clone.run("bash", "-c", "snow params arms.yaml > params.yaml")
    refused = clone.run("dvc", "repro", check=False)
    assert refused.returncode != 0
    assert "snow check --fix" in refused.stdout + refused.stderr
    clone.snow("check", "--fix")
    clone.dvc("repro")
    assert clone.executed() == {*jobs_of(("constant",)), "report all"}
    assert clone.nothing_to_do()
    clone.git("add", "-A")
    clone.git("commit", "-qm", "an arm")
    clone.dvc("exp", "run", "-S", "models.phase2.schedule.kind=constant")
    assert {"pretrain phase2", "pretrain control", "bits phase3"} <= clone.executed(), "what is like phase 2 follows it"
    assert clone.nothing_to_do()
    shown = json.loads(clone.dvc("exp", "show", "--json").stdout)
    assert len(shown[1]["experiments"]) >= 1


def test_params_are_printed_as_they_are_written(finished: Clone, tmp_path: Path) -> None:
    """Comments too; an overlay's replace those of the values it replaces. A shell that has emptied the file loses nothing."""
    assert (
        subprocess.run(
            [ROOT / ".envs/base/bin/python", "-m", "snow", "params"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        == (ROOT / "params.yaml").read_text()
    )
    copied = finished.copy(tmp_path / "copy")
    committed = (copied.path / "params.yaml").read_text()
    (copied.path / "one.yaml").write_text("models:\n  phase2:\n    tokens: 5000  # of ours\n")
    done = copied.run("bash", "-c", "snow params one.yaml > params.yaml")
    assert "the shell emptied params.yaml" in done.stderr
    assert "tokens: 5000  # of ours" in (copied.path / "params.yaml").read_text()
    (copied.path / "one.yaml").write_text("models: {new: {like: nothing}}")
    copied.git("checkout", "-q", "params.yaml")
    done = copied.run("bash", "-c", "snow params one.yaml > params.yaml", check=False)
    assert done.returncode == 2
    assert "models.new.like: there is no 'nothing'" in done.stderr
    assert (copied.path / "params.yaml").read_text() == committed

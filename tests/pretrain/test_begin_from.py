"""Training goes on from a model of others: its architecture, its tokenizer, its weights, and ours only what was trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from snow.errors import SnowError
from tests.evaluate import peers
from tests.pretrain.phase_jobs import MODEL, digest, log
from tests.stage_runs import run
from tests.tokens.token_jobs import corpus, write_documents, write_heldout

FAMILIES = {"starcoder": (peers.starcoder, "Starcoder2ForCausalLM"), "gpt2": (peers.gpt2, "GPT2LMHeadModel")}
LINEAR = {"kind": "linear", "warmup_steps": 1, "max_lr": 4.0e-3, "min_lr": 0.0}


def declared(**changes: Any) -> dict[str, Any]:
    """Phase 2 as one that begins from a model of others."""
    model = MODEL | {"begin_from": "team/peer", "train_on": "best", "tokens": 12 * 8 * 64, "schedule": LINEAR, "repetitions": 4}
    return {"models.phase1": {"begin_from": None}, "models.phase2": model | changes, "token_sets.corpus.tokenizer": "team/peer"} | {
        "report.path": ["phase2", "phase3"]
    }


@pytest.fixture(scope="module", params=FAMILIES)
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a family's `model` as `obtain` makes it, and what is packed for it."""
    folder = tmp_path_factory.mktemp(request.param)
    heldout = write_heldout(folder / "heldout.json", ["email"])
    run("obtain", "team-peer", folder, {}, {"model": folder / "model"}, declared() | _at(FAMILIES[request.param][0](folder / "published")))
    documents = {"documents": write_documents(folder / "0.parquet", corpus()[::4]), "model": folder / "model"}
    for name, aside in (("corpus", "left_out"), ("heldout-team-peer", "only")):
        made = {"tokens": folder / f"{name}.bin", "index": folder / f"{name}.index.parquet"}
        run("pack", f"{name}/00000", folder, {**documents, aside: heldout}, made, declared())
    return folder


def _at(published: Path) -> dict[str, Any]:
    return {"evaluation.compare_with": {"team-peer": {"pretrained": str(published)}}, "models.phase2.begin_from": "team-peer"} | {
        "token_sets.corpus.tokenizer": "team-peer"
    }


def train(base: Path, folder: Path, **changes: Any) -> dict[str, Any]:
    """The facts of phase 2, whose model is `folder/model`."""
    packed = {"tokens:best": base / "corpus.bin", "index:best": base / "corpus.index.parquet"}
    held = {"heldout": base / "heldout-team-peer.bin", "heldout_index": base / "heldout-team-peer.index.parquet"}
    given = {**packed, **held, "tokenizer": base / "model", "model": base / "model"}
    return run("pretrain", "phase2", folder, given, {"model": folder / "model"}, declared(**changes))


def test_it_has_the_architecture_and_the_tokenizer_of_its_start(base: Path, tmp_path: Path) -> None:
    facts = train(base, tmp_path)
    assert facts["begin_from"] == "team-peer"
    _, architecture = next(one for name, one in FAMILIES.items() if base.name.startswith(name))
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    assert (type(model).__name__, facts["parameters"]) == (architecture, model.num_parameters())
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "model" / name).read_bytes() == (base / "model" / name).read_bytes()
    records = log(tmp_path / "model")
    assert records[-1]["loss"] < records[0]["loss"] - 0.3
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    ids = tokenizer("def add(first, second):\n", return_tensors="pt")
    assert model.generate(**ids, max_new_tokens=4, do_sample=False).shape[1] > ids["input_ids"].shape[1]


def test_weights_that_are_not_moved_are_those_of_the_start(base: Path, tmp_path: Path) -> None:
    train(base, tmp_path, schedule=LINEAR | {"max_lr": 1e-30}, weight_decay=0.0, tokens=8 * 64)
    ours, theirs = (AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32) for folder in (tmp_path / "model", base / "model"))
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    assert all(torch.allclose(tensor, theirs.state_dict()[name], 0, 1e-20) for name, tensor in ours.state_dict().items())


def test_a_run_that_continues_gives_the_weights_of_one_that_was_not_interrupted(base: Path, tmp_path: Path) -> None:
    """Also of a model that was published with dropout, as GPT-2: what it draws would not be drawn again."""
    train(base, tmp_path)
    whole = digest(tmp_path / "model")
    assert list((tmp_path / "work").glob("*/step-*")), "there is a checkpoint to go on from"
    train(base, tmp_path)
    assert digest(tmp_path / "model") == whole
    told = json.loads((tmp_path / "model/config.json").read_text())
    assert {value for name, value in told.items() if "drop" in name and isinstance(value, float)} == {0.0}


def test_what_cannot_work_is_a_sentence(base: Path, tmp_path: Path) -> None:
    with pytest.raises(SnowError, match="model has 2048 positions, fewer than the sequence_length 4096; lower it"):
        train(base, tmp_path, sequence_length=4096)

"""What pretraining promises: what it trains on, whatever the number of workers, and a model everyone can load."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from snow.errors import SnowError
from snow.pretrain.data import window_count, windows
from snow.tokens.stream import open_stream
from tests.pretrain.conftest import Finished
from tests.pretrain.phase_jobs import Data, log, train


def test_two_workers_follow_the_curve_of_one(finished: Finished, model_of_two: Path) -> None:
    ours, theirs = log(model_of_two), log(finished.model)
    assert [record["tokens"] for record in ours] == [record["tokens"] for record in theirs]
    assert [record["loss"] for record in ours] == pytest.approx([record["loss"] for record in theirs], abs=1e-4)
    assert ours[-1]["heldout_bits_per_byte"] == pytest.approx(theirs[-1]["heldout_bits_per_byte"], abs=1e-4)


def test_logged_heldout_numbers_are_what_transformers_computes(data: Data, finished: Finished) -> None:
    model = AutoModelForCausalLM.from_pretrained(finished.model)
    tokenizer = AutoTokenizer.from_pretrained(finished.model)
    stream = open_stream(data.inputs["heldout"], data.inputs["heldout_index"])
    count = window_count(len(stream), 64)
    rows = torch.from_numpy(windows(stream, np.arange(16) * count // 16, 64))
    with torch.no_grad():
        nats = float(model(input_ids=rows, labels=rows).loss) * rows[:, 1:].numel()
    last = log(finished.model)[-1]
    assert last["heldout_loss"] == pytest.approx(nats / rows[:, 1:].numel(), rel=1e-4)
    size = finished.facts["heldout_bytes"]
    assert last["heldout_bits_per_byte"] == pytest.approx(nats / math.log(2) / size, rel=1e-4)
    text = "".join(tokenizer.decode(row, skip_special_tokens=True) for row in rows[:, 1:].tolist())
    assert size == pytest.approx(len(text.encode()), rel=0.01)  # windows may cut a character in two


def test_it_learns_in_two_dozen_steps(finished: Finished) -> None:
    losses = [record["loss"] for record in log(finished.model)]
    assert losses[0] == pytest.approx(math.log(600), abs=0.3)
    assert losses[-1] < losses[0] - 0.5
    assert 3 < finished.facts["byte_unigram_entropy"] < 6


def test_a_model_begins_from_the_weights_of_another_alone(data: Data, finished: Finished, tmp_path: Path) -> None:
    linear = {"kind": "linear", "warmup_steps": 3, "max_lr": 4.0e-3, "min_lr": 0.0}
    given = {"model": [finished.model]}
    facts = train(data, tmp_path, "phase2", given, begin_from="phase1", schedule=linear, repetitions=4)
    records = log(tmp_path / "model")
    assert records[0]["loss"] == pytest.approx(finished.facts["heldout_loss"], abs=0.8)
    assert records[0]["step"] == 1
    assert records[0]["lr"] == pytest.approx(4.0e-3 / 3)
    assert facts["begin_from"] == "phase1"
    assert facts["heldout_loss"] < finished.facts["heldout_loss"]


def test_horizon_is_cut_to_the_repetitions_and_says_so(data: Data, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short = Data(data.folder)
    tokens = {"tokens:corpus": data.inputs["heldout"][:1], "index:corpus": data.inputs["heldout_index"][:1]}
    many = train(short, tmp_path, given=tokens, tokens=10**9, repetitions=1, batch_size=512, micro_batch_size=64, validate_steps=10**6)
    assert many["horizon_cut"]
    assert many["passes"] <= 1
    assert many["tokens"] == many["steps"] * 512 * 64
    assert "repetitions allows" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "given", "sentence"),
    [
        ("phase2", {}, r"models\.phase2 begins from phase1; give its folder with --input model"),
        ("phase1", {"model": ["nowhere"]}, r"models\.phase1\.begin_from is scratch.*remove one of the two"),
        ("phase1", {"tokens:corpus": [], "index:corpus": []}, "the inputs named tokens:corpus hold no tokens"),
        ("phase1", {"index:corpus": []}, "one index per token file"),
    ],
)
def test_impossible_requests_are_refused_in_a_sentence(data: Data, tmp_path: Path, name: str, given: dict, sentence: str) -> None:
    with pytest.raises(SnowError, match=sentence):
        train(data, tmp_path, name, given, begin_from="phase1" if name == "phase2" else "scratch")


def test_a_mixture_trains_on_its_sets_in_their_shares(data: Data, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = {
        f"{kind}:{name}": [data.inputs[f"{kind}:corpus"][shard]]
        for kind in ("tokens", "index")
        for shard, name in enumerate(("corpus", "best"))
    }
    facts = train(data, tmp_path, given=given, train_on={"corpus": 0.75, "best": 0.25})
    streams = {name: open_stream(given[f"tokens:{name}"], given[f"index:{name}"]) for name in ("corpus", "best")}
    sequences = facts["steps"] * 8
    told = facts["sets"]
    assert {name: (each["share"], each["unique_tokens"]) for name, each in told.items()} == {
        "corpus": (0.75, len(streams["corpus"])),
        "best": (0.25, len(streams["best"])),
    }
    seen = {name: told[name]["passes"] * window_count(len(stream), 64) for name, stream in streams.items()}
    assert sum(seen.values()) == pytest.approx(sequences, rel=1e-3)
    assert seen["best"] == pytest.approx(sequences / 4, abs=0.1 * sequences)
    assert facts["unique_tokens"] == sum(map(len, streams.values()))
    assert "tokens of corpus, " in capsys.readouterr().err


def test_weights_of_another_shape_than_they_say_are_refused(data: Data, finished: Finished, tmp_path: Path) -> None:
    config = json.loads((finished.model / "config.json").read_text())
    other = tmp_path / "other"
    other.mkdir()
    for path in finished.model.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    (other / "config.json").write_text(json.dumps(config | {"intermediate_size": 96}))
    with pytest.raises(SnowError, match=r"other does not hold the weights that its config.json describes, such as .*mlp.down_proj.weight"):
        train(data, tmp_path, "phase2", {"model": [other]}, begin_from="phase1")

"""Models of others are measured like ours: whatever their tokenizer, of the same text, from the same kind of folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import BertConfig, BertModel

from snow.errors import SnowError
from snow.evaluate import loading
from snow.suites.tasks import read_suite
from snow.tokens import vocabulary
from tests.evaluate import peers
from tests.evaluate.test_bits import CONTENTS
from tests.stage_runs import params, run
from tests.tokens.token_jobs import document, write_documents, write_heldout

TEXT = "    return 'naïve — 東京'\n"
FAMILIES = {"starcoder": peers.starcoder, "gpt2": peers.gpt2}


def compared(reference: Path | str) -> dict[str, Any]:
    return {"evaluation.compare_with": {"peer": {"pretrained": str(reference)}}}


def obtain(reference: Path | str, folder: Path) -> dict[str, Any]:
    """Facts; the model is `folder`/model."""
    return run("obtain", "peer", folder, {}, {"model": folder / "model"}, compared(reference))


@pytest.fixture(scope="module", params=FAMILIES)
def peer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model as `obtain` writes it."""
    folder = tmp_path_factory.mktemp("peer")
    obtain(FAMILIES[request.param](folder / "published"), folder)
    return folder / "model"


def test_equal_models_give_equal_folders_in_the_precision_they_have(tmp_path: Path) -> None:
    shutil.copytree(peers.starcoder(tmp_path / "one"), tmp_path / "elsewhere/two")
    facts = [obtain(tmp_path / place, tmp_path / name) for name, place in (("1", "one"), ("2", "elsewhere/two"))]
    assert [one["dtype"] for one in facts] == ["bfloat16", "bfloat16"]
    assert (facts[0]["architecture"], facts[0]["commit"]) == ("Starcoder2ForCausalLM", None)
    files = [{path.name: path.read_bytes() for path in (tmp_path / name / "model").iterdir()} for name in "12"]
    assert files[0] == files[1]
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= files[0].keys()


def test_what_is_no_causal_language_model_is_refused(tmp_path: Path) -> None:
    peers.starcoder(tmp_path / "encoder")
    (tmp_path / "encoder/model.safetensors").unlink()
    config = BertConfig(vocab_size=300, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    BertModel(config).save_pretrained(tmp_path / "encoder")
    with pytest.raises(SnowError, match=r"encoder has no weights for \d+ tensors, such as cls\..*; name a causal language model"):
        obtain(tmp_path / "encoder", tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SnowError, match="empty: no causal language model could be loaded"):
        obtain(tmp_path / "empty", tmp_path)


def test_what_continues_a_text_is_neither_given_a_space_nor_robbed_of_one(peer: Path) -> None:
    loaded = loading.load(peer, 1)
    ids = loaded.encode_more(TEXT)
    assert loaded.tokenizer.decode(ids, skip_special_tokens=True) == TEXT
    table = vocabulary.token_bytes(loaded.tokenizer.backend_tokenizer)
    assert b"".join(table[index] for index in ids) == TEXT.encode()
    assert loaded.encode("def")[: len(loaded.start)] == list(loaded.start)
    assert not set(loaded.encode("</s><|endoftext|>")[len(loaded.start) :]) & set(loaded.tokenizer.all_special_ids), "names are text"


@pytest.mark.parametrize("many", [True, False])
def test_sentencepiece_as_one_part_of_a_tokenizer_or_among_others(many: bool) -> None:
    backend, spaces = Tokenizer(models.BPE(byte_fallback=True)), pre_tokenizers.Metaspace(prepend_scheme="first")
    backend.pre_tokenizer = pre_tokenizers.Sequence([spaces]) if many else spaces
    backend.decoder = decoders.Metaspace(prepend_scheme="first")
    backend.train_from_iterator([TEXT], trainers.BpeTrainer(vocab_size=300, show_progress=False))
    continuing = vocabulary.continuing(backend)
    assert backend.encode("return").tokens[0].startswith("▁")
    assert not continuing.encode("return").tokens[0].startswith("▁")
    assert continuing.decode(continuing.encode(TEXT).ids) == TEXT


def test_it_begins_as_its_tokenizer_does(tmp_path: Path) -> None:
    starts = {name: loading.load(make(tmp_path / name), 1).start for name, make in FAMILIES.items()}
    assert starts == {"starcoder": (), "gpt2": (1,)}


def test_held_out_text_and_solutions_are_scored_whole(peer: Path, humaneval: Path, tmp_path: Path) -> None:
    rows = [document("one", f"{name}.py", "Python", content) for name, content in CONTENTS.items()]
    inputs = {"documents": write_documents(tmp_path / "0.parquet", rows), "only": write_heldout(tmp_path / "heldout.json", ["one"])}
    made = {"tokens": tmp_path / "0.bin", "index": tmp_path / "0.index.parquet"}
    facts = run("pack", "heldout-peer/00000", tmp_path, {**inputs, "model": peer}, made, compared("team/peer"))
    assert facts["documents"] == 2
    suite = tmp_path / "few.jsonl"
    suite.write_text("".join(line + "\n" for line in humaneval.read_text().splitlines()[:3]))
    output = tmp_path / "bits.json"
    inputs = {"model": peer, "suites": suite, **made}
    run("bits", "peer", tmp_path, inputs, {"bits": output}, compared("team/peer"))
    found = json.loads(output.read_text())
    size = sum(len(content.encode()) for content in CONTENTS.values())
    assert size - 2 * 12 <= found["heldout"]["total"]["bytes"] <= size
    assert found["suites"]["few"]["bytes"] == sum(len(task.solution.encode()) for task in read_suite(suite))
    assert 5 < found["suites"]["few"]["bits_per_byte"] < 20, "random weights"


@pytest.mark.parametrize("name", ["phase1", "bpe", "scratch"])
def test_a_name_that_is_taken_is_refused(name: str) -> None:
    with pytest.raises(SnowError, match=f"evaluation.compare_with.{name}: this name is taken under (models|tokenizers); take another"):
        params({"evaluation.compare_with": {name: {"pretrained": "team/peer"}}})


def test_bits_outside_the_recipe_are_of_the_solutions_alone(peer: Path, humaneval: Path, tmp_path: Path) -> None:
    output = tmp_path / "bits.json"
    facts = run("bits", "peer", tmp_path, {"model": peer, "suites": humaneval}, {"bits": output}, compared("team/peer"))
    assert facts.keys() == {"suites"}
    assert json.loads(output.read_text()).keys() == {"suites", "sequence_length"}

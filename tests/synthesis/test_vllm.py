"""The generate stage against a real vLLM server; opt-in, see `make test-vllm`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from synthesis_inputs import ask, corpus, documents

from snow.synthesis import endpoint
from tests.stage_runs import ROOT

CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def tiny_llama(folder: Path) -> None:
    """A random Llama with a tokenizer of its own and a chat template; its heads have 32 dimensions, the least vLLM has kernels for."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    learned = ByteLevelBPETokenizer()
    special = ["<|end|>", "<|user|>", "<|assistant|>"]
    learned.train_from_iterator(
        (document["content"] for document in documents()), vocab_size=1024, special_tokens=special, show_progress=False
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=learned._tokenizer, eos_token="<|end|>")
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.save_pretrained(folder)
    config = LlamaConfig(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        vocab_size=len(tokenizer),
        max_position_embeddings=2048,
        eos_token_id=tokenizer.eos_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)


@pytest.mark.vllm
@pytest.mark.timeout(900)
def test_files_from_a_vllm_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not any((ROOT / ".envs" / name / "bin" / "python").exists() for name in ("vllm-cuda", "vllm-cpu")):
        pytest.skip("vLLM is not installed; run `make test-vllm`")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    tiny_llama(tmp_path / "tiny")
    made = corpus(tmp_path)
    changes = {"synthetic.inspired.requests": 6, "generators.smollm2.backend": "vllm", "generators.smollm2.model": "tiny"}
    output = tmp_path / "raw.parquet"

    def run(**more: int) -> list[dict[str, Any]]:
        ask({**changes, **more}, made, output)
        return pq.read_table(output).to_pylist()

    rows = run(**{"generators.smollm2.max_tokens": 16})
    assert [row["request"] for row in rows] == list(range(6))
    assert {row["model"] for row in rows} == {"tiny"}
    assert all(row["finish_reason"] in ("stop", "length") for row in rows)
    assert all(1 <= row["completion_tokens"] <= 16 for row in rows)
    assert len({row["text"] for row in rows}) > 1, "seeds and sampling make the answers differ"
    monkeypatch.delattr(endpoint, "started")  # the second run only reads answers
    assert run(**{"generators.smollm2.max_tokens": 16}) == rows

"""A tiny Llama that has learned a few texts by heart, so that what it completes and how well it predicts is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from snow.tokens import tokenizer as tokens
from tests.tokens.token_jobs import SPECIAL


def memorise(texts: Sequence[str], folder: Path, vocabulary: int = 400, steps: int = 150) -> Path:
    """Train on the texts, each closed by <|endoftext|>, until they are known; a folder like `snow pretrain` writes."""
    tokens.save(tokens.train(iter(texts), vocabulary, SPECIAL), SPECIAL, folder)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    ids = [[*tokenizer.encode(text), tokenizer.eos_token_id] for text in texts]
    width = max(map(len, ids))
    rows = torch.tensor([row + [tokenizer.eos_token_id] * (width - len(row)) for row in ids])
    targets = torch.tensor([row + [-100] * (width - len(row)) for row in ids])
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    model = LlamaForCausalLM(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    loss = torch.tensor(torch.inf)
    for _ in range(steps):
        loss = model(input_ids=rows, labels=targets).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert loss.item() < 0.05, loss.item()
    model.save_pretrained(folder)
    return folder

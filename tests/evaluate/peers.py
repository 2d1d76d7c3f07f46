"""Tiny random models as others publish them: other architectures, tokenizers without our special tokens or padding, half precision."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, processors, trainers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast, Starcoder2Config, Starcoder2ForCausalLM

from snow.tokens import tokenizer as tokens
from snow.tokens import vocabulary

TEXTS = ["def add(first, second):\n    return first + second\n", "for word in words:\n    print(word)\n"] * 20


def starcoder(folder: Path) -> Path:
    """StarCoder2 in bfloat16 with tied weights; a byte-level tokenizer that adds nothing."""
    backend = tokens.train(TEXTS, 300, ["<|endoftext|>"])
    PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|endoftext|>").save_pretrained(folder)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1}
    ids = {"bos_token_id": None, "eos_token_id": 0, "pad_token_id": None}
    torch.manual_seed(0)
    Starcoder2ForCausalLM(Starcoder2Config(vocab_size=300, max_position_embeddings=2048, **sizes, **ids)).bfloat16().save_pretrained(folder)
    return folder


def gpt2(folder: Path) -> Path:
    """GPT-2 with a tokenizer like Llama 2's: pieces with ▁ for a space, one before a text, bytes for other characters, <s> in front."""
    backend = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    backend.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=320, special_tokens=special, show_progress=False))
    plain = json.loads(backend.to_str())
    plain["added_tokens"] = [token for token in plain["added_tokens"] if not token["content"].startswith("<0x")]
    backend = Tokenizer.from_str(json.dumps(plain))
    backend.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>", unk_token="<unk>").save_pretrained(folder)
    size = vocabulary.size(backend)
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=size, n_positions=2048, n_embd=32, n_layer=1, n_head=2, bos_token_id=1, eos_token_id=2)
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder

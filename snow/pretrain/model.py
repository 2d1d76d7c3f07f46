"""The model as transformers knows it: built from params, read from another, written for every later reader."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM
from transformers.utils import logging as transformers_logging

from snow.errors import SnowError

if TYPE_CHECKING:
    from snow.schema import Architecture

transformers_logging.disable_progress_bar()  # of reading and writing one file
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def config(model: Architecture, vocab_size: int, end: int) -> LlamaConfig:
    """transformers' configuration of the params' Llama; `end` is the id that closes a document, there is no begin."""
    return LlamaConfig(
        **model.model_dump(exclude={"rope_theta"}),  # under transformers' names
        vocab_size=vocab_size,
        rope_parameters={"rope_type": "default", "rope_theta": model.rope_theta},
        bos_token_id=None,
        eos_token_id=end,
        pad_token_id=end,
    )


def fresh(wanted: LlamaConfig, seed: int) -> LlamaForCausalLM:
    """Randomly initialised in float32 on the CPU, so that the start does not depend on the device or the number of workers."""
    torch.manual_seed(seed)
    return LlamaForCausalLM(wanted)


def previous(folder: Path, wanted: LlamaConfig) -> LlamaForCausalLM:
    """The weights of an earlier model in float32. One of another shape than params.architecture is a SnowError."""
    given = LlamaConfig.from_pretrained(folder)
    shape = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads")
    for name in (*shape, "tie_word_embeddings"):
        has, expected = getattr(given, name), getattr(wanted, name)
        if has != expected:
            raise SnowError(f"{folder} has {name} {has}, but params.yaml and the tokenizer make it {expected}; train it again")
    return LlamaForCausalLM.from_pretrained(folder, config=wanted, dtype=torch.float32)


def parameters(model: torch.nn.Module) -> int:
    """Parameters, shared ones counted once."""
    return sum(parameter.numel() for parameter in model.parameters())


def write(weights: dict[str, torch.Tensor], wanted: LlamaConfig, precision: str, tokenizer: Path, log: Path, folder: Path) -> None:
    """A Hugging Face folder: model.safetensors, config.json, generation_config.json, the tokenizer's files, log.jsonl.

    Weights are stored in the precision the training computed with: it is those weights the held-out loss was measured on,
    so every evaluator sees the same model, and bf16 files are half as big. The float32 originals of a bf16 run end with it.
    """
    model = LlamaForCausalLM(wanted).to(DTYPES[precision])
    missing, unexpected = model.load_state_dict(weights, strict=False)
    shared = {"lm_head.weight"} if wanted.tie_word_embeddings else set()  # a tied head is the embedding and has no entry
    if unexpected or set(missing) - shared:
        raise RuntimeError(f"the engine's parameters are not the model's: missing {missing}, unexpected {unexpected}")
    model.generation_config = GenerationConfig(eos_token_id=wanted.eos_token_id, pad_token_id=wanted.pad_token_id)
    model.save_pretrained(folder)
    for file in folder.glob("*.safetensors"):
        file.chmod(0o644)  # safetensors makes it readable for the owner alone
    for name in TOKENIZER_FILES:
        shutil.copyfile(tokenizer / name, folder / name)
    shutil.copyfile(log, folder / "log.jsonl")

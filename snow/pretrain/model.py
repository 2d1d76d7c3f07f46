"""The model as transformers knows it: built from params, read from another, written for every later reader."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig, LlamaConfig, LlamaForCausalLM
from transformers.utils import logging as transformers_logging

from snow.errors import SnowError

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

    from snow.schema import Architecture

transformers_logging.disable_progress_bar()  # of reading and writing one file
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")
TEMPLATE = "chat_template.jinja"  # of a model that was made for chats
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


def previous(folder: Path, vocab_size: int, sequence_length: int, end: int) -> PreTrainedModel:
    """The weights of an earlier model or of another's in float32, in the architecture of their config.json, whichever causal LM of
    transformers it is. Dropout is switched off: a step is a function of seed and data alone, as of models that never had any. `end`
    becomes one of the ids that end a text. SnowError for what is no such model, has no room for `vocab_size` tokens, or too few positions.
    """
    try:
        given = AutoConfig.from_pretrained(folder)
        text = given.get_text_config()
        for name in [name for name in text.to_dict() if "drop" in name and isinstance(getattr(text, name), float)]:
            setattr(text, name, 0.0)
        text.eos_token_id = _with(text.eos_token_id, end)
        checked = {"output_loading_info": True, "ignore_mismatched_sizes": True}  # what does not fit is named below
        model, found = AutoModelForCausalLM.from_pretrained(folder, config=given, dtype=torch.float32, **checked)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise SnowError(f"{folder} cannot be loaded as a causal language model ({' '.join(str(error).split())[:200]})") from None
    if wrong := sorted([*found["missing_keys"], *(name for name, *_ in found["mismatched_keys"])]):
        raise SnowError(f"{folder} does not hold the weights that its config.json describes, such as {wrong[0]}; make it again")
    embeddings, positions = model.get_input_embeddings().num_embeddings, getattr(text, "max_position_embeddings", None)
    if embeddings < vocab_size:
        raise SnowError(
            f"{folder} has embeddings for {embeddings} tokens, but the tokenizer has {vocab_size}; a model is trained with its own"
        )
    if positions is not None and positions < sequence_length:
        raise SnowError(f"{folder} has {positions} positions, fewer than the sequence_length {sequence_length}; lower it")
    return model


def _with(ends: int | list[int] | None, end: int) -> int | list[int]:
    """The ids that end a text, `end` among them."""
    known = ends if isinstance(ends, list) else [] if ends is None else [ends]
    return ends if ends is not None and end in known else [*known, end] if known else end


def parameters(model: torch.nn.Module) -> int:
    """Parameters, shared ones counted once."""
    return sum(parameter.numel() for parameter in model.parameters())


def buffers(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """What is stored with the weights and not trained, on the CPU; Llama has none."""
    stored, trained = model.state_dict(), {name for name, _ in model.named_parameters(remove_duplicate=False)}
    return {name: tensor.cpu().clone() for name, tensor in stored.items() if name not in trained}


def write(weights: dict[str, torch.Tensor], wanted: PreTrainedConfig, precision: str, tokenizer: Path, log: Path, folder: Path) -> None:
    """A Hugging Face folder: model.safetensors, config.json, generation_config.json, the tokenizer's files, log.jsonl.

    Weights are stored in the precision the training computed with: it is those weights the held-out loss was measured on,
    so every evaluator sees the same model, and bf16 files are half as big. The float32 originals of a bf16 run end with it.
    """
    model: Any = AutoModelForCausalLM.from_config(wanted).to(DTYPES[precision])
    expected = {name for name, _ in model.named_parameters()} | buffers(model).keys()  # a head that is the embedding has no entry
    if weights.keys() != expected:
        raise RuntimeError(f"the engine's parameters are not the model's: {sorted(weights.keys() ^ expected)}")
    model.load_state_dict(weights, strict=False)
    text = wanted.get_text_config()
    ends, padding = text.eos_token_id, text.pad_token_id
    model.generation_config = GenerationConfig(bos_token_id=text.bos_token_id, eos_token_id=ends, pad_token_id=padding)
    model.save_pretrained(folder)
    for file in folder.glob("*.safetensors"):
        file.chmod(0o644)  # safetensors makes it readable for the owner alone
    for name in (*TOKENIZER_FILES, *([TEMPLATE] if (tokenizer / TEMPLATE).exists() else [])):
        shutil.copyfile(tokenizer / name, folder / name)
    shutil.copyfile(log, folder / "log.jsonl")

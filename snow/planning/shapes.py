"""How large models are: those of params by their declared architecture, those of others by what of them is on this machine, else by name.

NaN stands for what is not known.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snow import bases, environments, packaged
from snow.errors import SnowError
from snow.params import Params
from snow.reserved import SCRATCH, root_of, tokenizer_of

HALF = ("bfloat16", "float16")


@dataclass(frozen=True)
class Shape:
    """Weights, those that are shared counted once, and what the work and memory of a token follow from."""

    weights: float
    vocabulary: float
    layers: float
    width: float
    inner: float


def of(params: Params, name: str) -> Shape:
    """A model of params: what it goes back to has its shape."""
    root = root_of(params.models, name)
    if root != SCRATCH:
        return of_others(params, root)
    model = params.architecture
    words = vocabulary(params, tokenizer_of(params.token_sets, params.models[name]))
    head = model.hidden_size // model.num_attention_heads
    attention = model.hidden_size * head * (2 * model.num_attention_heads + 2 * model.num_key_value_heads)
    layer = attention + 3 * model.hidden_size * model.intermediate_size + 2 * model.hidden_size  # SwiGLU, no biases
    embeddings = words * model.hidden_size * (1 if model.tie_word_embeddings else 2)
    weights = model.num_hidden_layers * layer + embeddings + model.hidden_size
    return Shape(weights, words, model.num_hidden_layers, model.hidden_size, model.intermediate_size)


def of_others(params: Params, name: str) -> Shape:
    """A model of `evaluation.compare_with`: by its weights and config.json where they are here."""
    one = bases.reference(params, name)
    told = bases.stored(one, "config.json")
    known = bases.shape(told)
    words, layers, width = (float(known.get(key, math.nan)) for key in ("vocabulary", "layers", "width"))
    weights = _stored(bases.here(one), "*.safetensors", _width(told))
    return Shape(named(one.name) if math.isnan(weights) else weights, words, layers, width, float(known.get("inner", 4 * width)))


def vocabulary(params: Params, tokenizer: str) -> float:
    """Entries of a tokenizer's vocabulary, or of that of a model of others."""
    known = params.tokenizers.get(tokenizer)
    return of_others(params, tokenizer).vocabulary if known is None else known.vocab_size


def size(reference: str, pattern: str, each: float) -> float:
    """Parameters of a model: by its weights' files of so many bytes each where they are here, else by its name; NaN where that does not
    say it."""
    stored = math.nan
    if packaged.is_local(reference):
        with contextlib.suppress(SnowError):
            stored = _stored(packaged.locate(reference, environments.site_packages("torch")), pattern, each)
    return named(reference) if math.isnan(stored) else stored


def named(reference: str) -> float:
    """Parameters by the size in a model's name, as in Llama-3.1-70B or smollm2-135M; NaN without one."""
    found = re.findall(r"(?<![\w.])(\d+(?:\.\d+)?)([bm])(?![a-z])", reference.replace("_", ".").lower())
    return float(found[-1][0]) * {"b": 1e9, "m": 1e6}[found[-1][1]] if found else math.nan


def _stored(path: Path | None, pattern: str, each: float) -> float:
    """Parameters by the size of files of weights at so many bytes each."""
    files = [] if path is None else [path] if path.is_file() else sorted(path.glob(pattern))
    return sum(file.stat().st_size for file in files) / each if files else math.nan


def _width(configuration: Mapping[str, Any]) -> float:
    """Bytes of a weight as it is published."""
    return 2.0 if (configuration.get("dtype") or configuration.get("torch_dtype")) in HALF else 4.0

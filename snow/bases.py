"""Models of others that training begins from: what cannot work with one, told by two of its files before it is fetched."""

from __future__ import annotations

import ast
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snow import environments, hub_access, packaged
from snow.errors import SnowError
from snow.hub_access import Reference
from snow.tokens import special

if TYPE_CHECKING:
    from snow.params import Params

ENV = "torch"  # in which models are loaded
SHAPE = {  # our name -> those that configurations have for it
    "positions": ("max_position_embeddings", "n_positions", "max_seq_len"),
    "layers": ("num_hidden_layers", "n_layer", "n_layers"),
    "width": ("hidden_size", "n_embd", "d_model"),
    "inner": ("intermediate_size", "n_inner", "ffn_dim"),
    "vocabulary": ("vocab_size",),
}


def reference(params: Params, name: str) -> Reference:
    """A model of `evaluation.compare_with` as what it is found by."""
    one = params.evaluation.compare_with[name]
    return Reference(f"evaluation.compare_with.{name}", "model", one.pretrained, one.revision)


def shape(configuration: Mapping[str, Any]) -> dict[str, int]:
    """Positions, layers, width, inner width and vocabulary of a config.json, as far as it says them."""
    text = configuration.get("text_config", configuration)
    found = {name: next((text[key] for key in keys if isinstance(text.get(key), int)), None) for name, keys in SHAPE.items()}
    return {name: value for name, value in found.items() if value is not None}


def refusals(params: Params, root: str, models: Collection[str]) -> Iterator[str]:
    """A sentence for each thing that keeps models of params from being trained, whose weights go back to a model of others; its files,
    which may lie on the hub, are read once for all of them."""
    one = reference(params, root)
    configuration, tokenizer = _read(one, "config.json"), _read(one, "tokenizer.json")
    if (wrong := _architecture(configuration)) is not None:
        yield f"{one} is {wrong}; name a causal language model"
        return
    known = shape(configuration)
    for model in models:
        length = params.models[model].sequence_length
        if length > known.get("positions", length):
            yield f"models.{model}.sequence_length: {length} are more than the {known['positions']} positions of {one.name}; lower it"
    if not tokenizer:
        return
    decoder = tokenizer.get("decoder") or {}
    kinds = {part.get("type") for part in (decoder, *decoder.get("decoders", ()))}
    if not kinds & {"ByteLevel", "ByteFallback"}:
        yield f"{one}: its tokenizer is neither byte-level nor SentencePiece with bytes, as bits per byte need it; name another"
    tokens = _tokens(tokenizer)
    if (size := max(tokens.values(), default=-1) + 1) > known.get("vocabulary", size):
        yield f"{one} has embeddings for {known['vocabulary']} tokens, but its tokenizer has {size}; name a model that fits its tokenizer"
    for used in dict.fromkeys(used for model in models for used in params.models[model].shares):
        grouping = params.token_sets[used].grouping
        lacking = [token for token in special.FIM if token not in tokens] if params.groupings[grouping].fim_rate else []
        if lacking:
            yield f"groupings.{grouping}.fim_rate: {used} is packed for {one.name}, whose tokenizer has no {lacking[0]}; set it to 0"


def _tokens(tokenizer: Mapping[str, Any]) -> dict[str, int]:
    """The id of every token of a tokenizer.json."""
    vocabulary = tokenizer.get("model", {}).get("vocab") or {}
    known = vocabulary if isinstance(vocabulary, dict) else {entry[0]: index for index, entry in enumerate(vocabulary)}
    return {**known, **{added["content"]: added["id"] for added in tokenizer.get("added_tokens", ())}}


def _architecture(configuration: Mapping[str, Any]) -> str | None:
    """What a model is that transformers has no causal language model for; None for one it has, and where that is not known."""
    known, kind = _causal(), configuration.get("model_type")
    if not known or kind is None:
        return None
    if kind not in known:
        more = ", and code that comes with a model is not run" if "auto_map" in configuration else ""
        return f"of the kind {kind}, which transformers does not know as a language model{more}"
    given = configuration.get("architectures") or known.values()
    return None if set(given) & set(known.values()) else f"a {next(iter(given))}"


def _causal() -> dict[str, str]:
    """transformers' own table of causal language models by `model_type`, read without importing it; empty where it is not installed."""
    for place in (environments.site_packages(ENV) or ()) if environments.installed(ENV) else ():
        path = Path(place, "transformers/models/auto/modeling_auto.py")
        for node in ast.parse(path.read_text()).body if path.exists() else ():
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES":
                assert isinstance(node.value, ast.Call)
                return dict(ast.literal_eval(node.value.args[0]))
    return {}


def here(one: Reference) -> Path | None:
    """The folder of a model that is on this machine: its own, or that of the hub's cache."""
    if not packaged.is_local(one.name):
        return one.snapshot
    try:
        return packaged.locate(one.name, environments.site_packages(ENV))
    except SnowError:
        return None


def stored(one: Reference, file: str) -> dict[str, Any]:
    """What a JSON file of a model says that is on this machine; else nothing."""
    folder = here(one)
    try:
        return json.loads((folder / file).read_text()) if folder else {}
    except (OSError, ValueError):  # who loads it says why
        return {}


def _read(one: Reference, file: str) -> Mapping[str, Any]:
    return stored(one, file) if packaged.is_local(one.name) else hub_access.document(one, file)

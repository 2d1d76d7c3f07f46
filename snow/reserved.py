"""Names that stand for what params.yaml does not declare, and those that follow from what it does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snow.arms import Model, TokenSet

# Of what the experiment declares: it becomes a folder, a Snakemake target and a DVC stage.
NAME = r"[A-Za-z0-9][A-Za-z0-9_-]*"
CORPUS, RANDOM, SCRATCH = "corpus", "random", "scratch"  # all documents; no annotator; random weights
HELDOUT = "heldout"


def heldout_of(tokenizer: str) -> str:
    """The token set of the held-out documents in a tokenizer's tokens."""
    return f"{HELDOUT}-{tokenizer}"


def tokenizer_of(token_sets: Mapping[str, TokenSet], model: Model) -> str:
    """The tokenizer of a model: that of everything it trains on."""
    return token_sets[next(iter(model.shares))].tokenizer


def root_of(models: Mapping[str, Model], name: str) -> str:
    """What the weights of a model go back to: `scratch`, or a model of others."""
    while name in models:
        name = models[name].begin_from
    return name

"""Names that stand for what params.yaml does not declare, and those that follow from what it does."""

from __future__ import annotations

CORPUS, RANDOM, SCRATCH = "corpus", "random", "scratch"  # all documents; no annotator; random weights
HELDOUT = "heldout"


def heldout_of(tokenizer: str) -> str:
    """The token set of the held-out documents in a tokenizer's tokens."""
    return f"{HELDOUT}-{tokenizer}"

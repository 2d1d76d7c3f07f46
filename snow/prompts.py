"""What a prompt template for synthetic code holds, and how much of a seed fits beside it."""

from __future__ import annotations

CHAT_MARKUP_TOKENS = 128  # allowance for what a chat template adds: roles, separators, a default system message
MIN_SEED_BYTES = 200  # a prompt that leaves less room for the seed is refused
PLACEHOLDERS = ("language", "seed")


def seed_bytes(template: str, context_tokens: int, max_tokens: int) -> int:
    """How many UTF-8 bytes of seed certainly fit: a byte-level tokenizer never makes more tokens than bytes. Can be negative."""
    return context_tokens - max_tokens - CHAT_MARKUP_TOKENS - len(template.encode())

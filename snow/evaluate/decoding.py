"""Greedy decoding of many prompts at once, with a KV cache, each until its own end.

Prompts are batched by length and padded on the left; padding is masked and positions count from a prompt's first token, so in
exact arithmetic a text does not depend on what shares its batch. In float32 a sum's last bit can, which matters only where the
two best tokens are that close; the batches are a function of the prompts and the batch size, so a run repeats itself exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import DynamicCache

from snow.evaluate.loading import Checkpoint

TAIL = 24  # tokens decoded to look for a stop sequence: no fewer than the bytes of the longest, plus a split character


@dataclass
class Row:
    """One prompt on its way: its index, its ids, what was generated, and why it ended."""

    index: int
    prompt: list[int]
    generated: list[int] = field(default_factory=list)
    ending: str = ""  # "stop", "end" (a special token) or "length"


@dataclass(frozen=True)
class Completion:
    """A generated text up to its stop sequence, how many tokens it took, and why it ended (see Row)."""

    text: str
    tokens: int
    ending: str


def complete(
    checkpoint: Checkpoint, prompts: Sequence[list[int]], stops: Sequence[str], max_new_tokens: int, batch_size: int
) -> Iterator[tuple[int, Completion]]:
    """(index of the prompt, its completion), in the order of batches. Any special token ends a text: none belongs to code."""
    special = special_ids(checkpoint.tokenizer)
    order = sorted(range(len(prompts)), key=lambda index: (len(prompts[index]), index))
    batches = [[Row(index, prompts[index]) for index in order[start : start + batch_size]] for start in range(0, len(order), batch_size)]
    for rows in checkpoint.map(lambda rows: _decode(checkpoint, rows, stops, special, max_new_tokens), batches):
        for row in rows:
            yield row.index, Completion(cut(_text(checkpoint, row.generated), stops), len(row.generated), row.ending)


def special_ids(tokenizer: Any) -> frozenset[int]:
    """The ids that stand for no text: the roles the tokenizer names and the added tokens marked special."""
    added = (index for index, token in tokenizer.added_tokens_decoder.items() if token.special)
    return frozenset((*tokenizer.all_special_ids, *added))


def cut(text: str, stops: Sequence[str]) -> str:
    """The text before the first stop sequence in it."""
    return text[: min((position for stop in stops if (position := text.find(stop)) >= 0), default=len(text))]


def _decode(checkpoint: Checkpoint, rows: list[Row], stops: Sequence[str], special: frozenset[int], max_new_tokens: int) -> list[Row]:
    """Extend every row to its end and return them. Rows that ended leave the batch when half of it has."""
    device, width = checkpoint.device, max(len(row.prompt) for row in rows)
    tokens = torch.tensor([[0] * (width - len(row.prompt)) + row.prompt for row in rows], device=device)
    mask = torch.tensor([[0] * (width - len(row.prompt)) + [1] * len(row.prompt) for row in rows], device=device)
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    cache = DynamicCache(config=checkpoint.model.config)
    active = list(rows)
    for step in range(max_new_tokens):
        logits = checkpoint.model(
            input_ids=tokens, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True, logits_to_keep=1
        ).logits
        chosen = logits[:, -1].argmax(-1)
        for row, token in zip(active, chosen.tolist(), strict=True):
            if not row.ending:
                _extend(checkpoint, row, token, stops, special, last=step == max_new_tokens - 1)
        left = [place for place, row in enumerate(active) if not row.ending]
        if not left:
            break
        tokens, positions = chosen[:, None], positions[:, -1:] + 1
        mask = torch.cat([mask, torch.ones_like(tokens)], 1)
        if len(left) <= len(active) // 2:
            keep = torch.tensor(left, device=device)
            cache.batch_select_indices(keep)
            active, tokens, positions, mask = [active[place] for place in left], tokens[keep], positions[keep], mask[keep]
    return rows


def _extend(checkpoint: Checkpoint, row: Row, token: int, stops: Sequence[str], special: frozenset[int], last: bool) -> None:
    if token in special:
        row.ending = "end"
        return
    row.generated.append(token)
    tail = _text(checkpoint, row.generated[-TAIL:])
    if any(stop in tail for stop in stops):
        row.ending = "stop"
    elif last:
        row.ending = "length"


def _text(checkpoint: Checkpoint, tokens: Sequence[int]) -> str:
    return checkpoint.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)

"""Decoding of many prompts at once, greedy or sampled, with a KV cache, each until its own end.

Prompts are batched by length and padded on the left; padding is masked and positions count from a prompt's first token, so in
exact arithmetic a text does not depend on what shares its batch. In float32 a sum's last bit can, which matters only where the
two best tokens are that close; the batches are a function of the prompts and the batch size, so a run repeats itself exactly.
A sample's random numbers are its own, whatever it is drawn beside.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from transformers import DynamicCache

from snow.evaluate.loading import Checkpoint

TAIL = 24  # tokens decoded to look for a stop sequence: no fewer than the bytes of the longest, plus a split character


@dataclass(frozen=True)
class Request:
    """A prompt's ids, and the seed of what is drawn for it."""

    ids: list[int]
    seed: int


@dataclass(frozen=True)
class Sampling:
    """How a token is chosen: the likeliest at temperature 0, else drawn among the fewest that hold `top_p` of the probability."""

    temperature: float
    top_p: float


GREEDY = Sampling(0.0, 1.0)


@dataclass
class Row:
    """One request on its way: its index, what was generated, and why it ended."""

    index: int
    prompt: list[int]
    random: np.random.Generator
    generated: list[int] = field(default_factory=list)
    ending: str = ""  # "stop", "end" (a special token) or "length"


@dataclass(frozen=True)
class Completion:
    """A generated text up to its stop sequence, how many tokens it took, and why it ended (see Row)."""

    text: str
    tokens: int
    ending: str


def batches(requests: Sequence[Request], batch_size: int) -> list[list[int]]:
    """The indices of requests that are decoded together: of about the same length, shortest first."""
    order = sorted(range(len(requests)), key=lambda index: (len(requests[index].ids), index))
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def complete(
    checkpoint: Checkpoint,
    requests: Sequence[Request],
    stops: Sequence[str],
    max_new_tokens: int,
    sampling: Sampling,
    together: Iterable[Sequence[int]],
) -> Iterator[dict[int, Completion]]:
    """The completions of each batch of requests (`together`, see `batches`) by index, in their order. Any special token ends a text:
    none belongs to code."""
    special = checkpoint.special_ids()

    def decode(batch: Sequence[int]) -> list[Row]:
        rows = [Row(index, requests[index].ids, np.random.default_rng(requests[index].seed)) for index in batch]
        return _decode(checkpoint, rows, stops, special, max_new_tokens, sampling)

    for rows in checkpoint.map(decode, together):
        yield {row.index: Completion(cut(checkpoint.decode(row.generated), stops), len(row.generated), row.ending) for row in rows}


def cut(text: str, stops: Sequence[str]) -> str:
    """The text before the first stop sequence in it."""
    return text[: min((position for stop in stops if (position := text.find(stop)) >= 0), default=len(text))]


def _decode(
    checkpoint: Checkpoint, rows: list[Row], stops: Sequence[str], special: frozenset[int], max_new_tokens: int, sampling: Sampling
) -> list[Row]:
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
        chosen = _chosen(logits[:, -1], active, sampling)
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
    tail = checkpoint.decode(row.generated[-TAIL:])
    if any(stop in tail for stop in stops):
        row.ending = "stop"
    elif last:
        row.ending = "length"


def _chosen(logits: torch.Tensor, rows: Sequence[Row], sampling: Sampling) -> torch.Tensor:
    """The next token of each row, (rows,), from logits of (rows, vocabulary)."""
    if sampling.temperature == 0:
        return logits.argmax(-1)
    probabilities, tokens = torch.softmax(logits.double() / sampling.temperature, -1).sort(descending=True, stable=True)
    reached = probabilities.cumsum(-1)
    nucleus = (reached - probabilities < sampling.top_p).sum(-1, keepdim=True)
    drawn = torch.tensor([[row.random.random()] for row in rows], dtype=torch.float64, device=logits.device)
    places = torch.searchsorted(reached, drawn * reached.gather(-1, nucleus - 1), right=True)
    return tokens.gather(-1, places.minimum(nucleus - 1)).squeeze(-1)

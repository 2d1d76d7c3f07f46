"""How likely a model thinks spans of tokens are, in batches."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from tqdm import tqdm

from snow.errors import SnowError
from snow.evaluate.loading import Checkpoint
from snow.evaluate.spans import Span


def check_window(loaded: Checkpoint, length: int) -> None:
    """SnowError when the model has fewer positions than evaluation.bits.sequence_length."""
    if loaded.positions is not None and length > loaded.positions:
        raise SnowError(f"evaluation.bits.sequence_length {length} exceeds the model's {loaded.positions} positions; lower it")


def scored(loaded: Checkpoint, spans: Sequence[Span], batch_size: int) -> Iterator[tuple[Span, float]]:
    """Every span and the nats that its scored tokens cost, shortest first. Rows are batched by length and padded on the right, which
    a causal model cannot see."""
    order = sorted(range(len(spans)), key=lambda place: (len(spans[place].ids), place))
    batches = [[spans[place] for place in order[start : start + batch_size]] for start in range(0, len(order), batch_size)]
    losses = loaded.map(lambda batch: nats(loaded, batch), batches)
    for batch, values in zip(batches, tqdm(losses, total=len(batches), desc="scoring", mininterval=5, file=sys.stderr), strict=True):
        yield from zip(batch, values, strict=True)


def nats(loaded: Checkpoint, batch: Sequence[Span]) -> list[float]:
    """The summed cross-entropy of each span's scored tokens given all before them in it."""
    width = max(len(span.ids) for span in batch)
    ids = torch.zeros(len(batch), width, dtype=torch.int64)
    for place, span in enumerate(batch):
        ids[place, : len(span.ids)] = torch.from_numpy(span.ids)
    ids = ids.to(loaded.device)
    logits = loaded.model(input_ids=ids[:, :-1], use_cache=False).logits.float()
    losses = F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none").view(len(batch), -1).double().cpu()
    return [float(row[len(span.ids) - 1 - span.scored : len(span.ids) - 1].sum()) for row, span in zip(losses, batch, strict=True)]

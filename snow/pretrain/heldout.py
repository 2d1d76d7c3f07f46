"""How well a model predicts held-out text: loss per token, and bits per byte, which tokenizers cannot change."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from snow.pretrain.data import window_count, windows
from snow.pretrain.engine import Worker, total
from snow.pretrain.loss import Objective
from snow.tokens.stream import Stream


@dataclass(frozen=True)
class Heldout:
    """The held-out windows every validation of a model looks at: int64 [windows, sequence_length + 1], and the bytes of each id."""

    rows: np.ndarray
    byte_lengths: np.ndarray

    @property
    def tokens(self) -> int:
        """Predicted tokens."""
        return self.rows[:, 1:].size

    @property
    def bytes(self) -> int:
        """Bytes of text the predicted tokens stand for; special tokens stand for none, so their cost is charged to the text."""
        return int(self.byte_lengths[self.rows[:, 1:]].sum())


def choose(stream: Stream, sequence_length: int, tokens: int, byte_lengths: np.ndarray) -> Heldout:
    """About `tokens` tokens in windows spread evenly over the stream, so that every language has its share."""
    count = window_count(len(stream), sequence_length)
    wanted = min(count, max(1, tokens // sequence_length))
    return Heldout(windows(stream, np.arange(wanted) * count // wanted, sequence_length), byte_lengths)


def measure(engine: Any, objective: Objective, heldout: Heldout, micro: int, worker: Worker) -> tuple[float, float]:
    """(nats per token, bits per byte); a collective that splits the windows over the workers.

    Every worker makes the same number of passes, as ZeRO 3 needs; rows past the end are repeats that count for nothing.
    """
    step = micro * worker.size
    nats = torch.zeros((), dtype=torch.float64, device=worker.device)
    engine.eval()
    with torch.no_grad():
        for begin in range(0, len(heldout.rows), step):
            positions = begin + worker.rank * micro + np.arange(micro)
            inside = torch.from_numpy(positions < len(heldout.rows)).to(worker.device)
            rows = torch.from_numpy(heldout.rows[np.minimum(positions, len(heldout.rows) - 1)]).to(worker.device)
            nats += (objective.token_losses(engine, rows).double().sum(1) * inside).sum()
    engine.train()
    summed = float(total(nats))
    return summed / heldout.tokens, summed / math.log(2) / max(1, heldout.bytes)


def byte_unigram_entropy(heldout: Heldout, table: list[bytes]) -> float:
    """Bits per byte of a code that knows how often each byte occurs in this very text: what a model must beat to have learned."""
    text = b"".join(table[token] for token in heldout.rows[:, 1:].flatten().tolist())
    counts = np.bincount(np.frombuffer(text, np.uint8), minlength=256)
    shares = counts[counts > 0] / max(1, len(text))
    return float(-(shares * np.log2(shares)).sum())

"""The loss of next-token prediction: of each token, and what a training step goes down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from snow.pretrain import kernels


@dataclass(frozen=True)
class Objective:
    """What a token is predicted from, and what is minimized.

    `document_end` closes a document that attention does not cross, and positions count from 0 after it; None: both go on through a
    whole window. `z_loss` is the weight of the squared log of the softmax's normalizer (PaLM, arXiv 2204.02311, section 5).
    """

    document_end: int | None = None
    z_loss: float = 0.0

    def token_losses(self, model: Any, rows: torch.Tensor) -> torch.Tensor:
        """Cross-entropy in nats of each of the row's tokens but the first, given those before: [rows, sequence_length], float32."""
        return _cross_entropy(self._logits(model, rows), rows)

    def mean(self, engine: Any, rows: torch.Tensor) -> torch.Tensor:
        """The mean of `token_losses` and, by its weight, of the z-loss, as a training step takes them; fused with the head's matrix
        product where the kernels have that."""
        if kernels.fused(engine.module):
            given = self._inputs(rows) | ({"lse_square_scale": self.z_loss} if self.z_loss else {})
            return engine(**given, shift_labels=rows[:, 1:].contiguous(), use_cache=False, return_dict=True).loss
        logits = self._logits(engine, rows)
        found = _cross_entropy(logits, rows).mean()
        return found + self.z_loss * logits.logsumexp(-1).square().mean() if self.z_loss else found

    def _logits(self, model: Any, rows: torch.Tensor) -> torch.Tensor:
        return model(**self._inputs(rows), use_cache=False).logits.float()

    def _inputs(self, rows: torch.Tensor) -> dict[str, torch.Tensor]:
        tokens = rows[:, :-1]
        if self.document_end is None:
            return {"input_ids": tokens}
        return {"input_ids": tokens, "position_ids": positions(tokens, self.document_end)}


def positions(tokens: torch.Tensor, document_end: int) -> torch.Tensor:
    """How many tokens of its document stand before each token in its row: int64 like `tokens`. Of positions that begin again at 0
    transformers makes a mask in which a token sees those before it since then."""
    places = torch.arange(tokens.shape[1], device=tokens.device).expand_as(tokens)
    begins = F.pad(tokens[:, :-1] == document_end, (1, 0))
    return places - torch.where(begins, places, 0).cummax(1).values


def _cross_entropy(logits: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten(), reduction="none").view(rows.shape[0], -1)

"""The loss of next-token prediction: of each token, and the mean that a training step goes down."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from snow.pretrain import kernels


def token_losses(model: Any, rows: torch.Tensor) -> torch.Tensor:
    """Cross-entropy in nats of each of the row's tokens but the first, given those before: [rows, sequence_length], float32."""
    logits = model(input_ids=rows[:, :-1], use_cache=False).logits
    return F.cross_entropy(logits.float().flatten(0, 1), rows[:, 1:].flatten(), reduction="none").view(rows.shape[0], -1)


def mean(engine: Any, rows: torch.Tensor) -> torch.Tensor:
    """The mean of `token_losses` as a training step takes it, fused with the head's matrix product where the kernels have that."""
    if kernels.fused(engine.module):
        return engine(input_ids=rows[:, :-1], shift_labels=rows[:, 1:].contiguous(), use_cache=False, return_dict=True).loss
    return token_losses(engine, rows).mean()

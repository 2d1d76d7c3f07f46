"""The learning rate as a function of the step alone, so that continuing a run needs no scheduler state."""

from __future__ import annotations

import math


def warmup_steps(wanted: int, steps: int) -> int:
    """The warmup: as wanted, but never more than half of a horizon that turned out short."""
    return min(wanted, steps // 2)


def learning_rate(kind: str, step: int, steps: int, warmup: int, max_lr: float, min_lr: float) -> float:
    """The rate of step 0 .. steps-1: linear from 0 to `max_lr` over `warmup` steps, then towards `min_lr` by `kind`.

    `cosine` is the paper's first phase [P 2.2], `linear` to 0 is its re-warmup [P Table 5], `constant` stays at `max_lr`.
    """
    if step < warmup:
        return max_lr * (step + 1) / warmup
    if kind == "constant":
        return max_lr
    progress = (step - warmup) / max(1, steps - warmup)
    remaining = 1 - progress if kind == "linear" else (1 + math.cos(math.pi * progress)) / 2
    return min_lr + (max_lr - min_lr) * remaining

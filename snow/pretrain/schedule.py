"""The learning rate as a function of the step alone, so that continuing a run needs no scheduler state."""

from __future__ import annotations

import math


def warmup_steps(wanted: int, steps: int) -> int:
    """The warmup: as wanted, but never more than half of a horizon that turned out short."""
    return min(wanted, steps // 2)


def learning_rate(kind: str, step: int, steps: int, warmup: int, max_lr: float, min_lr: float, decay_share: float | None = None) -> float:
    """The rate of step 0 .. steps-1: linear from 0 to `max_lr` over `warmup` steps, then towards `min_lr` by `kind`.

    `cosine` is the paper's first phase [P 2.2], `linear` to 0 is its re-warmup [P Table 5], `constant` stays at `max_lr`. `wsd` stays
    there and is linear in the last `decay_share` of all steps: warmup, stable, decay (Hu et al. 2024, arXiv 2404.06395; linear as in
    Hägele et al. 2024, arXiv 2405.18392).
    """
    if step < warmup:
        return max_lr * (step + 1) / warmup
    begin = max(warmup, steps - round(decay_share * steps)) if decay_share else warmup
    if kind == "constant" or step < begin:
        return max_lr
    progress = (step - begin) / max(1, steps - begin)
    remaining = (1 + math.cos(math.pi * progress)) / 2 if kind == "cosine" else 1 - progress
    return min_lr + (max_lr - min_lr) * remaining

"""Whether a step went wrong: a loss or gradient that is not finite, or by params a loss far above those before it."""

from __future__ import annotations

import collections
import math
import statistics
from collections.abc import Iterable
from typing import TYPE_CHECKING

from snow.errors import SnowError

if TYPE_CHECKING:
    from snow.arms import LossSpike

GRADIENT = "the gradient is not finite"
SKIPS = 10  # in a row that are one bad batch after another; after more it is the model


class Watch:
    """Judges the steps of a run in their order; `losses` are those of the steps before that were not skipped."""

    def __init__(self, spike: LossSpike | None, losses: Iterable[float]) -> None:
        self._spike = spike
        self._losses = collections.deque(losses, maxlen=spike.steps if spike else 0)
        self._skips = 0

    def wrong_loss(self, loss: float) -> str | None:
        """What is wrong with a step's loss, or None. A spike can be told once `loss_spike.steps` losses are known."""
        if not math.isfinite(loss):
            return f"the loss is {loss}"
        if self._spike and len(self._losses) == self._spike.steps:
            median = statistics.median(self._losses)
            if loss > self._spike.factor * median:
                return f"the loss, {loss:.4g}, is more than {self._spike.factor:g} times the median of the {self._spike.steps} before it"
        return None

    def keep(self, loss: float) -> None:
        """The step with this loss was taken; later ones are held against it too."""
        self._losses.append(loss)
        self._skips = 0

    def skip(self, why: str) -> None:
        """A step was skipped. SnowError when only such have come for a while."""
        self._skips += 1
        if self._skips > SKIPS:
            raise SnowError(
                f"{self._skips} steps in a row were skipped, at the last {why}; lower the model's schedule.max_lr and run again"
            )


def wrong_norm(norm: float) -> str | None:
    """What is wrong with the norm of a gradient, or None; below 0 is DeepSpeed's word for one that is not finite."""
    return None if math.isfinite(norm) and norm >= 0 else GRADIENT

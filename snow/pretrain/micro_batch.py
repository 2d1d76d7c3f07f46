"""Sequences at a time on one worker: what the params say, or on a GPU the most that its memory holds."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from snow.errors import SnowError
from snow.pretrain.engine import highest

if TYPE_CHECKING:
    from snow.arms import Model
    from snow.pretrain.engine import Worker
    from snow.pretrain.loss import Objective

ON_CPU = 8  # where memory does not decide; a fixed number, because it decides the last bits of the weights
RESERVE = 0.06  # of the memory, for what the allocator cannot join together
FILE = "micro_batch.json"


def first(settings: Model, worker: Worker) -> int:
    """What an engine starts with: the largest divisor of a worker's share of the batch that is at most what is asked for."""
    if settings.batch_size % worker.size:
        raise SnowError(
            f"batch_size {settings.batch_size} cannot be split over {worker.size} workers; use a number of workers that divides it"
        )
    wanted = settings.micro_batch_size
    if wanted == "auto":
        wanted = 1 if worker.device.type == "cuda" else ON_CPU
    return next(size for size in _divisors(settings.batch_size // worker.size) if size <= wanted)


def settle(engine: Any, objective: Objective, settings: Model, worker: Worker, work: Path) -> None:
    """With `auto` on GPUs let the engine take the most sequences at a time that fit into the memory of each; a collective.

    What was found is written to `work`, where a later attempt on the same kind of GPU reads it.
    """
    if settings.micro_batch_size != "auto" or worker.device.type != "cuda":
        return
    here = {"gpu": torch.cuda.get_device_name(worker.device), "workers": worker.size}
    size = _written(work / FILE, here)
    if size is None:
        size = -highest(-_largest(engine, objective, settings, worker), worker)
        if worker.leads:
            (work / FILE).write_text(json.dumps({"micro_batch_size": size, **here}))
            print(f"micro_batch_size: {size} of the {settings.batch_size // worker.size} sequences fit at a time", file=sys.stderr)
    engine.set_train_micro_batch_size(size)
    engine.set_train_batch_size(settings.batch_size)


def _written(path: Path, here: dict[str, Any]) -> int | None:
    try:
        found = json.loads(path.read_bytes())
        size = found.pop("micro_batch_size")
    except (OSError, ValueError, KeyError):
        return None
    return size if found == here else None


def _largest(engine: Any, objective: Objective, settings: Model, worker: Worker) -> int:
    """The most sequences whose pass forwards and backwards fits beside the float32 sums of the gradients, which do not exist yet."""
    weights = [weight for weight in engine.module.parameters() if weight.requires_grad]
    total = torch.cuda.get_device_properties(worker.device).total_memory
    limit = (1 - RESERVE) * total - sum(4 * weight.numel() for weight in weights)
    for size in _divisors(settings.batch_size // worker.size):
        # Of documents that end, so that a mask between them takes its memory here too.
        rows = torch.full((size, settings.sequence_length + 1), objective.document_end or 0, dtype=torch.int64, device=worker.device)
        torch.cuda.reset_peak_memory_stats(worker.device)
        try:
            torch.autograd.grad(objective.mean(engine, rows), weights)  # the engine, which adds gradients up at their weights, sees nothing
        except torch.cuda.OutOfMemoryError:
            fits = False
        else:
            fits = torch.cuda.max_memory_reserved(worker.device) <= limit
        torch.cuda.empty_cache()
        if fits:
            return size
    raise SnowError(
        f"not one sequence of {settings.sequence_length} fits into the GPU's {total / 1e9:.0f} GB; set activation_checkpointing to full, "
        "zero_stage to 3, or sequence_length lower"
    )


def _divisors(number: int) -> list[int]:
    """All divisors, the largest first."""
    return [size for size in range(number, 0, -1) if number % size == 0]

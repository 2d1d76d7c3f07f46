"""The training loop: batches by step, checkpoints and validations at fixed steps, one log record per step."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from tqdm import tqdm

from snow.pretrain import checkpoint, data, engine, heldout, schedule

if TYPE_CHECKING:
    from snow.arms import Model


@dataclass(frozen=True)
class Horizon:
    """How long a model trains: steps, and the passes over each of its token sets that makes."""

    steps: int
    passes: tuple[float, ...]
    cut: bool  # whether `repetitions` made it shorter than `tokens` asked


def horizon(parts: Sequence[data.Part], settings: Model, seed: int) -> Horizon:
    """`tokens` tokens, but at most `repetitions` passes over each token set: the first one used up ends it. At least one step."""
    places = data.places([part.share for part in parts])
    windows = [data.window_count(part.stream, settings.sequence_length) for part in parts]
    wanted = settings.tokens // (settings.batch_size * settings.sequence_length)

    def passes(steps: int) -> tuple[float, ...]:
        taken = data.taken(steps * settings.batch_size, places, seed)
        return tuple(number / count for number, count in zip(taken, windows, strict=True))

    allowed = bisect.bisect_left(range(1, wanted + 1), True, key=lambda steps: max(passes(steps)) > settings.repetitions)
    steps = max(1, allowed)
    return Horizon(steps, passes(steps), allowed < wanted)


@dataclass(frozen=True)
class Run:
    """What a model trains on and looks at, for how long, as which worker, and where it keeps what it needs to continue."""

    parts: tuple[data.Part, ...]
    heldout: heldout.Heldout
    settings: Model
    steps: int
    seed: int
    worker: engine.Worker
    work: Path


def train(model: torch.nn.Module, run: Run) -> Any:
    """Train to the end of the horizon from the newest checkpoint in `work`, or else from `model`; returns the engine.

    The log is `work/log.jsonl`. Everything a record says is a function of the inputs, the seed and the number of workers.
    """
    settings, worker = run.settings, run.worker
    newest = checkpoint.newest(run.work, worker)
    universal = checkpoint.needs_conversion(newest, worker, settings.engine.zero_stage)
    if newest and universal:
        checkpoint.convert(newest, worker)
    running = engine.start(model, settings, worker, universal)
    if newest:
        checkpoint.load(running, newest, universal)
    done = checkpoint.step_of(newest)
    log = checkpoint.Log(run.work / "log.jsonl", done) if worker.leads else None
    plan = settings.schedule
    warmup = schedule.warmup_steps(plan.warmup_steps, run.steps)
    for step in tqdm(range(done, run.steps), initial=done, total=run.steps, unit="step", mininterval=10, disable=not worker.leads):
        rate = schedule.learning_rate(plan.kind, step, run.steps, warmup, plan.max_lr, plan.min_lr)
        engine.set_learning_rate(running, rate)
        loss, norm = _step(running, run, step)
        ended = step + 1
        tokens = ended * settings.batch_size * settings.sequence_length
        record = {"step": ended, "tokens": tokens, "loss": loss, "lr": rate, "grad_norm": norm}
        if ended % settings.validate_steps == 0 or ended == run.steps:
            nats, bits = heldout.measure(running, run.heldout, running.train_micro_batch_size_per_gpu(), worker)
            record |= {"heldout_loss": nats, "heldout_bits_per_byte": bits}
        if log:
            log.write(record)
        if ended % settings.checkpoint_steps == 0 and ended < run.steps:
            if log:
                log.sync()
            checkpoint.save(running, worker, run.work, ended)
    return running


def _step(running: Any, run: Run, step: int) -> tuple[float, float]:
    """One optimizer step over this worker's share of the batch: (loss over the whole batch, norm of the gradient before clipping)."""
    micro, passes = running.train_micro_batch_size_per_gpu(), running.gradient_accumulation_steps()
    first = step * run.settings.batch_size + run.worker.rank * micro * passes
    summed = torch.zeros((), dtype=torch.float64, device=run.worker.device)
    norm = None
    for begin in range(first, first + micro * passes, micro):
        rows = data.batch(run.parts, run.settings.sequence_length, run.seed, np.arange(begin, begin + micro))
        loss = heldout.token_losses(running, torch.from_numpy(rows).to(run.worker.device)).mean()
        running.backward(loss)
        summed += loss.detach().double()
        if running.is_gradient_accumulation_boundary():
            norm = engine.unclipped_norm(running)
        running.step()
    norm = running.get_global_grad_norm() if norm is None else norm
    return float(engine.total(summed)) / (passes * run.worker.size), float(norm)

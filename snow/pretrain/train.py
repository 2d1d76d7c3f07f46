"""The training loop: batches by step, checkpoints and validations at fixed steps, one log record per step."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from tqdm import tqdm

from snow.pretrain import checkpoint, data, engine, heldout, schedule
from snow.tokens.stream import Stream

if TYPE_CHECKING:
    from snow.schema import Phase


@dataclass(frozen=True)
class Horizon:
    """How long a phase trains: steps, windows of the stream, and the passes that makes."""

    steps: int
    windows: int
    passes: float
    cut: bool  # whether `repetitions` made it shorter than `tokens` asked


def horizon(stream: Stream, phase: Phase) -> Horizon:
    """`tokens` tokens, but at most `repetitions` passes over the stream; at least one step."""
    count = data.window_count(stream, phase.sequence_length)
    wanted = phase.tokens // (phase.batch_size * phase.sequence_length)
    allowed = phase.repetitions * count // phase.batch_size
    steps = max(1, min(wanted, allowed))
    return Horizon(steps, count, steps * phase.batch_size / count, allowed < wanted)


@dataclass(frozen=True)
class Run:
    """What a phase trains on and looks at, for how long, as which worker, and where it keeps what it needs to continue."""

    stream: Stream
    heldout: heldout.Heldout
    phase: Phase
    steps: int
    seed: int
    worker: engine.Worker
    work: Path


def train(model: torch.nn.Module, run: Run) -> Any:
    """Train to the end of the phase from the newest checkpoint in `work`, or else from `model`; returns the engine.

    The log is `work/log.jsonl`. Everything a record says is a function of the inputs, the seed and the number of workers.
    """
    phase, worker = run.phase, run.worker
    newest = checkpoint.newest(run.work)
    universal = checkpoint.needs_conversion(newest, worker, phase.engine.zero_stage)
    if newest and universal:
        checkpoint.convert(newest, worker)
    running = engine.start(model, phase, worker, universal)
    if newest:
        checkpoint.load(running, newest, universal)
    done = checkpoint.step_of(newest)
    log = checkpoint.Log(run.work / "log.jsonl", done) if worker.leads else None
    plan = phase.schedule
    warmup = schedule.warmup_steps(plan.warmup_steps, run.steps)
    for step in tqdm(range(done, run.steps), initial=done, total=run.steps, unit="step", mininterval=10, disable=not worker.leads):
        rate = schedule.learning_rate(plan.kind, step, run.steps, warmup, plan.max_lr, plan.min_lr)
        engine.set_learning_rate(running, rate)
        loss, norm = _step(running, run, step)
        ended = step + 1
        tokens = ended * phase.batch_size * phase.sequence_length
        record = {"step": ended, "tokens": tokens, "loss": loss, "lr": rate, "grad_norm": norm}
        if ended % phase.validate_steps == 0 or ended == run.steps:
            nats, bits = heldout.measure(running, run.heldout, running.train_micro_batch_size_per_gpu(), worker)
            record |= {"heldout_loss": nats, "heldout_bits_per_byte": bits}
        if log:
            log.write(record)
        if ended % phase.checkpoint_steps == 0 and ended < run.steps:
            if log:
                log.sync()
            checkpoint.save(running, worker, run.work, ended)
    return running


def _step(running: Any, run: Run, step: int) -> tuple[float, float]:
    """One optimizer step over this worker's share of the batch: (loss over the whole batch, norm of the gradient before clipping)."""
    micro, passes = running.train_micro_batch_size_per_gpu(), running.gradient_accumulation_steps()
    first = step * run.phase.batch_size + run.worker.rank * micro * passes
    summed = torch.zeros((), dtype=torch.float64, device=run.worker.device)
    norm = None
    for begin in range(first, first + micro * passes, micro):
        rows = data.batch(run.stream, run.phase.sequence_length, run.seed, np.arange(begin, begin + micro))
        loss = heldout.token_losses(running, torch.from_numpy(rows).to(run.worker.device)).mean()
        running.backward(loss)
        summed += loss.detach().double()
        if running.is_gradient_accumulation_boundary():
            norm = engine.unclipped_norm(running)
        running.step()
    norm = running.get_global_grad_norm() if norm is None else norm
    return float(engine.total(summed)) / (passes * run.worker.size), float(norm)

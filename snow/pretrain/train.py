"""The training loop: batches by step, checkpoints and validations at fixed steps, one log record per step."""

from __future__ import annotations

import bisect
import contextlib
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import torch

from snow.ahead import ahead
from snow.errors import SnowError, Unfinished
from snow.pretrain import checkpoint, data, engine, heldout, kernels, micro_batch, schedule, signals, watch
from snow.slurm import progress

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from snow.arms import Model
    from snow.console.telemetry import Telemetry
    from snow.pretrain.loss import Objective

READ_STEPS = 10  # losses and norms are read together at the latest after so many steps: each reading waits for the device


@dataclass(frozen=True)
class Horizon:
    """How long a model trains: steps, and the passes over each of its token sets that makes."""

    steps: int
    passes: tuple[float, ...]
    cut: bool  # whether `repetitions` made it shorter than `tokens` asked


def horizon(parts: Sequence[data.Part], settings: Model, seed: int) -> Horizon:
    """`tokens` tokens, but at most `repetitions` passes over each token set: the first one used up ends it. At least one step."""
    places = data.places([part.share for part in parts])
    windows = [data.window_count(len(part.stream), settings.sequence_length) for part in parts]
    wanted = settings.tokens // (settings.batch_size * settings.sequence_length)

    def passes(steps: int) -> tuple[float, ...]:
        taken = data.taken(steps * settings.batch_size, places, seed)
        return tuple(number / count for number, count in zip(taken, windows, strict=True))

    allowed = bisect.bisect_left(range(1, wanted + 1), True, key=lambda steps: max(passes(steps)) > settings.repetitions)
    steps = max(1, allowed)
    return Horizon(steps, passes(steps), allowed < wanted)


@dataclass(frozen=True)
class Run:
    """A model's name, what it minimizes, what it trains on and looks at, for how long, as which worker, where it keeps what it needs to
    continue, and on the leader what tells people how it goes."""

    name: str
    objective: Objective
    parts: tuple[data.Part, ...]
    heldout: heldout.Heldout
    settings: Model
    steps: int
    seed: int
    worker: engine.Worker
    work: Path
    telemetry: Telemetry | None


def train(model: PreTrainedModel, run: Run) -> Any:
    """Train to the end of the horizon from the newest checkpoint in `work`, or else from `model`; returns the engine.

    The log is `work/log.jsonl`. Everything a record says is a function of the inputs, the seed and the number of workers. Asked to end
    (`signals`) it finishes the step it is at, saves a checkpoint and raises Unfinished. SnowError at a step that went wrong (`watch`).
    """
    with signals.noted() as asked, contextlib.closing(run.telemetry) if run.telemetry else contextlib.nullcontext():
        return _train(model, run, asked)


def _train(model: PreTrainedModel, run: Run, asked: Sequence[int]) -> Any:
    settings, worker = run.settings, run.worker
    newest = checkpoint.newest(run.work, worker)
    universal = checkpoint.needs_conversion(newest, worker, settings.engine.zero_stage)
    if newest and universal:
        checkpoint.convert(newest, worker)
    running = engine.start(model, settings, micro_batch.first(settings, worker), worker, universal)
    micro_batch.settle(running, run.objective, settings, worker, run.work)
    if newest:
        checkpoint.load(running, newest, universal)
    done = checkpoint.step_of(newest)
    before = checkpoint.records(run.work / "log.jsonl", done)
    look = watch.Watch(settings.loss_spike, [record["loss"] for record in before if "skipped" not in record])
    skips = settings.on_nonfinite == "skip"
    log = checkpoint.Log(run.work / "log.jsonl", done) if worker.leads else None
    plan = settings.schedule
    warmup = schedule.warmup_steps(plan.warmup_steps, run.steps)
    batches = _batches(run, running.train_micro_batch_size_per_gpu(), running.gradient_accumulation_steps(), done)
    unread: list[dict[str, Any]] = []
    if run.telemetry:
        run.telemetry.begin(done)
    for step in range(done, run.steps):
        rate = schedule.learning_rate(plan.kind, step, run.steps, warmup, plan.max_lr, plan.min_lr, plan.decay_share)
        engine.set_learning_rate(running, rate)
        mean, norm, wrong = _step(running, run.objective, next(batches), worker, look if skips else None)
        ended = step + 1
        tokens = ended * settings.batch_size * settings.sequence_length
        unread.append({"step": ended, "tokens": tokens, "loss": mean, "lr": rate, "grad_norm": norm})
        if wrong:
            unread[-1]["skipped"] = wrong
        last = ended == run.steps
        stops = not last and engine.highest(len(asked), worker) > 0
        saves = not last and (stops or ended % settings.checkpoint_steps == 0)
        validates = last or ended % settings.validate_steps == 0
        if not (saves or validates or len(unread) == READ_STEPS):
            continue
        records, unread = [_read(record, look, run) for record in unread], []
        if validates:
            # What fits beside a fused loss need not beside the logits, which each token's loss needs.
            rows = 1 if kernels.fused(running.module) else running.train_micro_batch_size_per_gpu()
            nats, bits = heldout.measure(running, run.objective, run.heldout, rows, worker)
            records[-1] |= {"heldout_loss": nats, "heldout_bits_per_byte": bits}
        if log:
            log.write(records)
        if run.telemetry:
            run.telemetry.read(records)
        if saves:
            if log:
                log.sync()
            checkpoint.save(running, worker, run.work, ended)
        if run.telemetry:
            run.telemetry.goes_on(ended)
        if stops:
            _stop(ended, run)
    return running


def _batches(run: Run, micro: int, passes: int, begin: int) -> Iterator[list[torch.Tensor]]:
    """The micro batches of this worker for each step from `begin` on: int64 [micro, sequence_length + 1], made on a thread of their own
    while the step before is computed, and where there is a GPU in memory that it reads by itself."""
    settings, worker = run.settings, run.worker

    def of(step: int) -> list[torch.Tensor]:
        first = step * settings.batch_size + worker.rank * micro * passes
        positions = np.arange(first, first + micro * passes).reshape(passes, micro)
        rows = [torch.from_numpy(data.batch(run.parts, settings.sequence_length, run.seed, each)) for each in positions]
        return [each.pin_memory() for each in rows] if worker.device.type == "cuda" else rows

    for _, made in ahead(range(begin, run.steps), of):
        yield made


def _step(
    running: Any, objective: Objective, batch: Sequence[torch.Tensor], worker: engine.Worker, look: watch.Watch | None
) -> tuple[torch.Tensor, Any, str | None]:
    """One optimizer step over this worker's share of the batch: (loss over the whole batch, norm of the gradient before clipping), both
    still to be computed by the device, and with `look` why the weights were left as they are, or None."""
    summed = torch.zeros((), dtype=torch.float64, device=worker.device)
    total, norm, wrong = summed, None, None
    for rows in batch:
        mean = objective.mean(running, rows.to(worker.device, non_blocking=True))
        summed += mean.detach().double()
        last = running.is_gradient_accumulation_boundary()
        if last:
            total = engine.total(summed) / (len(batch) * worker.size)
            wrong = look.wrong_loss(float(total)) if look else None
        running.backward(mean * math.nan if wrong else mean)  # a gradient that is not finite is one that is not used, below
        if last:
            norm = engine.unclipped_norm(running)
        if look and norm is not None and watch.wrong_norm(float(norm)):
            wrong = wrong or watch.GRADIENT
            engine.step_without_effect(running)
        else:
            running.step()
    if look and not running.was_step_applied():
        wrong = wrong or watch.GRADIENT
    if look:
        look.skip(wrong) if wrong else look.keep(float(total))
    return total, running.get_global_grad_norm() if norm is None else norm, wrong


def _read(record: dict[str, Any], look: watch.Watch, run: Run) -> dict[str, Any]:
    """The record with the numbers that its tensors hold, for which the device is waited; SnowError at a step that went wrong."""
    loss, norm = float(record["loss"]), float(record["grad_norm"])
    if "skipped" in record:
        if run.worker.leads:
            print(f"{run.name}: step {record['step']} was skipped, {record['skipped']}", file=sys.stderr)
        return record | {"loss": loss if math.isfinite(loss) else None, "grad_norm": None}
    if run.settings.on_nonfinite == "stop":
        wrong = look.wrong_loss(loss) or watch.wrong_norm(norm)
        if wrong:
            raise SnowError(
                f"{run.name}: at step {record['step']} {wrong}; the checkpoint before it is kept in {run.work}; set "
                f"models.{run.name}.on_nonfinite to skip, or lower its schedule.max_lr, and run again"
            )
        look.keep(loss)
    return record | {"loss": loss, "grad_norm": norm}


def _stop(step: int, run: Run) -> NoReturn:
    if not run.worker.leads:
        raise SystemExit(Unfinished.status)
    progress.moved(stopped=True)
    raise Unfinished(f"ended on request after step {step} of {run.steps}, with a checkpoint; the same command goes on from there")

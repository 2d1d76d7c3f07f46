"""`pretrain`: one model, from random weights or from those of another model, to a Hugging Face model folder.

Two starts that exclude each other: a killed run *continues* from its newest checkpoint in the work folder, with optimizer,
schedule and position; a model *begins from another* with the weights only, a fresh optimizer and a schedule that warms up
again. With several processes, `.envs/torch/bin/torchrun --nproc-per-node 2 -m snow pretrain MODEL ...` is the same job: each
runs this on its share of every batch, and the leader alone writes.
"""

from __future__ import annotations

import inspect
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from snow.errors import SnowError
from snow.pretrain import checkpoint, data, engine, heldout, model
from snow.pretrain.loss import Objective
from snow.pretrain.train import Horizon, Run, horizon, train
from snow.reserved import SCRATCH
from snow.tokens import vocabulary
from snow.tokens.stream import Stream, open_stream

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

    from snow.arms import Model
    from snow.console.telemetry import Telemetry
    from snow.job import Job
    from snow.schema import Architecture


class Params(Protocol):
    seed: int
    architecture: Architecture  # of a model that begins from scratch
    model: Model


def run(job: Job[Params]) -> dict[str, Any]:
    """tokens:SET and index:SET of every token set, heldout, heldout_index, tokenizer, [model] -> model=folder."""
    settings = job.params.model
    tokenizer = vocabulary.load(job.input("tokenizer"))
    table = vocabulary.token_bytes(tokenizer)
    parts = tuple(
        data.Part(name, _stream(job, f"tokens:{name}", f"index:{name}", len(table)), share) for name, share in settings.shares.items()
    )
    held_stream = _stream(job, "heldout", "heldout_index", len(table))
    lengths = np.asarray([len(text) for text in table])
    held = heldout.choose(held_stream, settings.sequence_length, settings.validate_tokens, lengths)
    length = horizon(parts, settings, job.params.seed)
    worker = engine.join(job.threads)
    end = vocabulary.end_id(tokenizer, job.input("tokenizer"))
    start = _start(job, len(table), end)
    wanted, size, kept = start.config, model.parameters(start), model.buffers(start)
    seen = length.steps * settings.batch_size * settings.sequence_length
    if worker.leads:
        _announce(job, parts, length, size, seen)
        if settings.engine.precision == "bf16" and engine.computes_bf16_slowly(worker):
            print(f"{job.instance}: this CPU has no bf16 instructions; with precision fp32 it would be far faster", file=sys.stderr)
    telemetry = _telemetry(job, wanted, length, size, worker) if worker.leads else None
    began = time.monotonic()
    objective = Objective(end if settings.document_masks else None, settings.z_loss)
    running = train(start, Run(job.instance, objective, parts, held, settings, length.steps, job.params.seed, worker, job.work, telemetry))
    hours = (time.monotonic() - began) / 3600 * worker.size
    weights = engine.weights(running, worker) | kept
    facts: dict[str, Any] = {}
    if worker.leads:
        print(f"{job.instance}: {hours:.4f} {worker.device.type} hours in this run", file=sys.stderr)
        log = job.work / "log.jsonl"
        model.write(weights, wanted, settings.engine.precision, job.input("tokenizer"), log, job.output("model"))
        records = checkpoint.records(log, length.steps)
        last, skipped = records[-1], {str(record["step"]): record["skipped"] for record in records if "skipped" in record}
        facts = {
            "begin_from": settings.begin_from,
            "parameters": size,
            "steps": length.steps,
            "tokens": seen,
            "unique_tokens": sum(len(part.stream) for part in parts),
            "passes": round(max(length.passes), 4),
            "sets": {
                part.name: {"share": part.share, "unique_tokens": len(part.stream), "passes": round(passes, 4)}
                for part, passes in zip(parts, length.passes, strict=True)
            },
            "horizon_cut": length.cut,
            "flop": 6 * size * seen,  # Kaplan et al. 2020, 6 N D
            "train_loss": next(record["loss"] for record in reversed(records) if "skipped" not in record),
            "heldout_loss": last["heldout_loss"],
            "heldout_bits_per_byte": last["heldout_bits_per_byte"],
            "heldout_tokens": held.tokens,
            "heldout_bytes": held.bytes,
            "byte_unigram_entropy": heldout.byte_unigram_entropy(held, table),
        }
        if settings.on_nonfinite == "skip":
            facts["skipped_steps"] = skipped
    engine.wait_for_all()
    return facts


def _stream(job: Job[Params], tokens: str, index: str, vocab_size: int) -> Stream:
    stream = open_stream(job.inputs.get(tokens, ()), job.inputs.get(index, ()))
    if not len(stream):
        raise SnowError(f"{job.instance}: the inputs named {tokens} hold no tokens; look at the receipts of pack for what was left out")
    if stream.vocab_size != vocab_size:
        raise SnowError(
            f"{job.instance}: {tokens} were packed with a vocabulary of {stream.vocab_size}, the tokenizer has {vocab_size}; pack again"
        )
    return stream


def _start(job: Job[Params], vocab_size: int, end: int) -> PreTrainedModel:
    given, begin = job.inputs.get("model", ()), job.params.model.begin_from
    if begin == SCRATCH:
        if given:
            raise SnowError(f"models.{job.instance}.begin_from is scratch, but --input model was given; remove one of the two")
        return model.fresh(model.config(job.params.architecture, vocab_size, end), job.params.seed)
    if not given:
        raise SnowError(f"models.{job.instance} begins from {begin}; give its folder with --input model models/{begin}")
    found = model.previous(job.input("model"), vocab_size, job.params.model.sequence_length, end)
    if job.params.model.document_masks and "position_ids" not in inspect.signature(found.forward).parameters:
        raise SnowError(f"models.{job.instance}.document_masks: {found.config.model_type} takes no positions; set it to false")
    return found


def _telemetry(job: Job[Params], wanted: PreTrainedConfig, length: Horizon, size: int, worker: engine.Worker) -> Telemetry:
    settings, shape = job.params.model, wanted.get_text_config()
    return job.telemetry(
        parameters=size,
        layers=shape.num_hidden_layers,
        width=shape.hidden_size,
        sequence_length=settings.sequence_length,
        steps=length.steps,
        tokens_per_step=settings.batch_size * settings.sequence_length,
        workers=worker.size,
        precision=settings.engine.precision,
    )


def _announce(job: Job[Params], parts: Sequence[data.Part], length: Horizon, size: int, seen: int) -> None:
    """What the training will cost, before it starts."""
    settings, instance = job.params.model, job.instance
    over = ", ".join(
        f"{passes:.2f} passes over {len(part.stream)} tokens of {part.name}" for part, passes in zip(parts, length.passes, strict=True)
    )
    print(
        f"{instance}: {length.steps} steps of {settings.batch_size * settings.sequence_length} tokens, {over}, "
        f"{size / 1e6:.1f}M parameters, {6.0 * size * seen:.1e} FLOP",
        file=sys.stderr,
    )
    if length.cut:
        print(
            f"{instance}: models.{instance}.tokens asks for {settings.tokens}, but {settings.repetitions} passes over a token set "
            f"are all that repetitions allows: {length.steps} steps",
            file=sys.stderr,
        )

"""The arithmetic of a model's shape: its weights, the work of a token, how fast a GPU does it, and the memory that training takes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from snow.params import Params
from snow.planning import shapes
from snow.planning.units import Gpu

WEIGHT_BYTES = {"fp32": 4, "bf16": 2}


def parameters_of(params: Params, name: str) -> float:
    """Weights of a model, embeddings counted once when tied."""
    return shapes.of(params, name).weights


def token_flop(params: Params, name: str) -> float:
    """Work of training on a token, forwards and backwards: 6 N + 12 L H Q T (PaLM, arXiv 2204.02311, appendix B), without the second
    where a model of others is not here to tell it."""
    shape = shapes.of(params, name)
    attention = 12.0 * shape.layers * shape.width * params.models[name].sequence_length
    return 6.0 * shape.weights + (0.0 if math.isnan(attention) else attention)


def utilisation(gpu: Gpu, flop: float) -> float:
    """The share of a GPU's peak that our step reached at so much work per token: between the models that were measured along a line over
    the logarithm, beyond them as the nearest."""
    work, shares = zip(*gpu.utilisation, strict=True)
    return float(np.interp(math.log(flop), np.log(work), shares))


def tokens_per_second(params: Params, name: str, gpu: Gpu) -> float:
    """Tokens that one GPU trains on in a second."""
    flop = token_flop(params, name)
    return utilisation(gpu, flop) * gpu.peak_flops / flop


@dataclass(frozen=True)
class Memory:
    """Bytes on one GPU while a model trains: weights with gradients and optimizer, and what a micro batch keeps for the way back."""

    states: float
    activations: float


def memory(params: Params, name: str, gpus: int) -> Memory:
    """What a GPU of so many holds. States as in ZeRO (arXiv 1910.02054): weights and gradients in the precision, in bf16 float32 sums of
    gradients and master weights besides, Adam's two moments; stage 1 divides masters and moments, stage 2 gradients too, stage 3
    weights too. Activations of a layer and token are 20 hidden + 8 intermediate bytes in bf16 (norms keep float32), with Liger's kernels
    16 + 6, the attention matrix not stored, and of a layer that is computed again its input; the logits' are a copy in bf16 and three in
    float32, with Liger's fused loss the gradient of the head alone. On an H200 the paper's model took 52.3 GB at one sequence of 8192
    with torch's kernels, with Liger's 41.3 and at four 81.0 (`python bench/gpu.py paper`). `auto` is taken as one sequence, the least."""
    model, shape = params.models[name], shapes.of(params, name)
    weights, width = shape.weights, WEIGHT_BYTES[model.engine.precision]
    half, stage = model.engine.precision == "bf16", model.engine.zero_stage
    gradients = weights * (width + (4 if half else 0))
    optimizer = 0.0 if model.engine.offload_optimizer and stage else weights * (12.0 if half else 8.0)
    share = [gpus if stage >= least else 1 for least in (3, 2, 1)]
    states = weights * width / share[0] + gradients / share[1] + optimizer / share[2]
    micro = 1 if model.micro_batch_size == "auto" else model.micro_batch_size
    tokens = min(micro, max(1, model.batch_size // gpus)) * model.sequence_length
    fused = half and model.engine.kernels == "liger"
    layer = ((16 if fused else 20) * shape.width + (6 if fused else 8) * shape.inner) * width / 2
    again = {"none": 0.0, "selective": 0.5, "full": 1.0}[model.engine.activation_checkpointing]
    layer = again * width * shape.width + (1 - again) * layer
    head = 4 * shape.vocabulary * shape.width if fused else tokens * shape.vocabulary * (width + 12)
    return Memory(states, tokens * shape.layers * layer + head)


def checkpoint_bytes(params: Params, name: str) -> float:
    """What the two checkpoints of a running training take in .snow/work: weights, master weights in bf16, moments."""
    return 2.0 * parameters_of(params, name) * (14 if params.models[name].engine.precision == "bf16" else 12)

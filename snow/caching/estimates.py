"""What jobs are expected to take: from their own last execution in this clone, else from that of others like them.

`logs/STAGE/INSTANCE.cost.json` has what executing a job cost here. Where none of a stage is known, training at scale follows from
arithmetic, and what is no larger than a pocket run from a pocket run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from snow.caching import costs
from snow.params import Params
from snow.reserved import tokenizer_of

FLOP_PER_GPU_SECOND = 4e14  # 40% of an H100's 989 TFLOP/s in dense bf16 (NVIDIA's data sheet), the usual share at this size
SCALE_FLOP = 1e17  # above this a phase is taken to run on GPUs
# Seconds of a job of the pocket run, the mean over its stage, on two cores that others used too (2026-11-27); for a first run of no
# more shards than that.
POCKET_RUN = "a pocket run on two cores"
SHARDS = 4
POCKET = {
    "collect": 8.6,
}


@dataclass(frozen=True)
class Estimate:
    """Seconds of one machine for each job, or the GPU hours of all, or neither; and where that comes from."""

    seconds: tuple[float, ...] | None
    gpu_hours: float | None
    basis: str


def of(params: Params, stage: str, instances: Sequence[str]) -> Estimate:
    """What jobs of one stage are expected to cost."""
    known = costs.seconds(stage)
    if known.keys() >= {*instances}:
        return Estimate(tuple(known[instance] for instance in instances), None, "the last run of these jobs")
    flop = _flop(params, instances) if stage == "pretrain" else 0.0
    if flop > SCALE_FLOP:
        return Estimate(None, flop / FLOP_PER_GPU_SECOND / 3600, "6ND at 40% of an H100")
    if known:
        mean = sum(known.values()) / len(known)
        return Estimate(tuple(known.get(instance, mean) for instance in instances), None, f"the mean of {len(known)} other jobs")
    if stage in POCKET and params.shards <= SHARDS:
        return Estimate((POCKET[stage],) * len(instances), None, POCKET_RUN)
    return Estimate(None, None, "no earlier run")


def tokens(params: Params, stage: str, instances: Iterable[str]) -> int:
    """Tokens that jobs train on, or may be answered at most; 0 for other stages."""
    if stage == "pretrain":
        return sum(params.models[model].tokens for model in instances)
    if stage == "generate":
        asked = {params.synthetic[instance.partition("/")[0]]: None for instance in instances}
        return sum(one.requests * params.generators[one.generator].max_tokens for one in asked)
    return 0


def parameters_of(params: Params, name: str) -> int:
    """Weights of a model: Llama with SwiGLU and no biases, embeddings counted once when tied."""
    model = params.architecture
    head = model.hidden_size // model.num_attention_heads
    attention = model.hidden_size * head * (2 * model.num_attention_heads + 2 * model.num_key_value_heads)
    layer = attention + 3 * model.hidden_size * model.intermediate_size + 2 * model.hidden_size
    vocabulary = params.tokenizers[tokenizer_of(params.token_sets, params.models[name])].vocab_size
    embeddings = vocabulary * model.hidden_size * (1 if model.tie_word_embeddings else 2)
    return model.num_hidden_layers * layer + embeddings + model.hidden_size


def _flop(params: Params, models: Iterable[str]) -> float:
    return sum(6.0 * parameters_of(params, model) * params.models[model].tokens for model in models)

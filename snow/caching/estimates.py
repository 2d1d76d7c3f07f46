"""What jobs are expected to take: from their own last execution in this clone, else from that of others like them.

`logs/STAGE/INSTANCE.cost.json` has what executing a job cost here. Where none of a stage is known, training at scale follows from
arithmetic, and a run that is no larger than the pocket run from that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from snow.caching import costs
from snow.params import Params
from snow.reserved import tokenizer_of

FLOP_PER_GPU_SECOND = 4e14  # 40% of an H100's 989 TFLOP/s in dense bf16 (NVIDIA's data sheet), the usual share at this size
SCALE_FLOP = 1e17  # above this a phase is taken to run on GPUs
# What a first run is expected to take where it has no more shards than the pocket run: seconds of a job, the mean of its stage, and
# FLOP/s in training. They are the processor seconds in `logs/STAGE/INSTANCE.tsv` over the threads a job has, of the pocket run on two
# cores of an AMD EPYC (2026-11-27), where others worked beside it; `generate` is 40 answers at the 85 tokens/s of SmolLM2 there.
POCKET_RUN = "the pocket run on two cores"
SHARDS = 4
POCKET_FLOPS = 7e10
_BY_SECONDS = {
    1: "holdout",
    2: "partition filter unique suite select report",
    3: "collect measure minhash duplicates pack refine",
    4: "decontaminate tokenizer",
    5: "judge mutate",
    10: "preference",
    11: "complete",
    15: "bits",
    31: "annotate",
    33: "score",
    150: "generate",
}
POCKET = {stage: float(seconds) for seconds, stages in _BY_SECONDS.items() for stage in stages.split()}


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
    if stage == "pretrain" and params.shards <= SHARDS:
        return Estimate(tuple(_flop(params, [model]) / POCKET_FLOPS for model in instances), None, POCKET_RUN)
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

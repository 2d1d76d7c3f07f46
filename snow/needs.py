"""What the jobs of a run need and is not here, told before the first of them begins: environments, weights, access to the hub.

A job that comes after days should not be the one that finds it out, nor one that has taken GPUs to say so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from snow import bases, environments, hub_access, packaged, stages
from snow.errors import SnowError
from snow.graph import Job
from snow.hub_access import Reference
from snow.reserved import SCRATCH, root_of

if TYPE_CHECKING:
    from snow.arms import Generator
    from snow.params import Params


def missing(jobs: Sequence[Job], params: Params, gpus: int | None, own: bool) -> list[str]:
    """One sentence for each thing that some jobs need and that is not here. `gpus` are those of this machine, None where the jobs run
    elsewhere; `own`: they run in the locked environments, not in such as Snakemake makes."""
    found = _said(lambda: environments.require(dict.fromkeys(map(stages.environment_of, jobs)))) if own else []
    if any(job.stage == "complete" for job in jobs) and params.evaluation.completion.backend == "vllm":
        found += _vllm("evaluation.completion", 1, gpus)
    sets = {job.instance.partition("/")[0] for job in jobs if job.stage == "generate"}
    for name in sorted({params.synthetic[one].generator for one in sets}):
        found += _generator(f"generators.{name}", params.generators[name], gpus)
    hubs: dict[Reference, None] = {}
    for one, env in dict.fromkeys((one, stages.stage(job.stage).env) for job in jobs for one in _references(job, params)):
        if not packaged.is_local(one.name):
            hubs[one] = None
        elif not own or environments.installed(env):
            found += _said(lambda one=one, env=env: packaged.locate(one.name, environments.site_packages(env)), one.key)
    found += hub_access.refusals(hubs)
    trained: dict[str, list[str]] = {}
    for job in jobs:
        if job.stage == "pretrain" and (root := root_of(params.models, job.instance)) != SCRATCH:
            trained.setdefault(root, []).append(job.instance)
    for root, models in trained.items():
        if not any(one.startswith(str(bases.reference(params, root))) for one in found):
            found += bases.refusals(params, root, models)
    return list(dict.fromkeys(found))


def _said(check: Callable[[], object], key: str | None = None) -> list[str]:
    """The sentence that a check raises, if it does, after the params key it is about."""
    try:
        check()
    except SnowError as error:
        return [f"{key}: {error}" if key else str(error)]
    return []


def _vllm(key: str, wanted: int, gpus: int | None) -> list[str]:
    from snow.synthesis import serve

    if said := _said(serve.vllm_python, key):
        return said
    if gpus is not None and gpus < wanted and not serve.vllm_python()[1]:
        return [f"{key}: vLLM needs {wanted} GPUs, and this machine has {gpus}"]
    return []


def _generator(key: str, generator: Generator, gpus: int | None) -> list[str]:
    if generator.backend == "openai":
        from snow.synthesis import endpoint

        return _said(endpoint.external, key)
    if generator.backend == "llamacpp":
        return []
    longest = hub_access.document(_model(key, generator)).get("max_position_embeddings", generator.context_tokens)
    short = [f"{key}.context_tokens: {generator.context_tokens} are more than the {longest} of {generator.model}; lower it and max_tokens"]
    return _vllm(key, generator.gpus, gpus) + (short if longest < generator.context_tokens else [])


def _model(key: str, generator: Generator) -> Reference:
    return Reference(f"{key}.model", "model", generator.model, generator.revision)


def _references(job: Job, params: Params) -> Iterator[Reference]:
    """What a job reads because a param names it, on the hub or here."""
    match job.stage:
        case "collect":
            for source in params.sources:
                for path in source.paths if source.kind == "huggingface" else ():
                    yield Reference(f"sources.{source.name}", "dataset", path, source.revision)
        case "tokenizer":
            one = params.tokenizers[job.instance]
            if one.pretrained is not None:
                yield Reference(f"tokenizers.{job.instance}.pretrained", "model", one.pretrained, one.revision)
        case "annotate":
            training, key = params.annotators[job.instance].training, f"annotators.{job.instance}.training"
            yield Reference(f"{key}.encoder", "model", training.encoder, training.revision)
            for positives in training.positives:
                if positives.kind == "huggingface" or packaged.is_local(positives.path):
                    yield Reference(f"{key}.positives.{positives.name}", "dataset", positives.path, positives.revision)
        case "obtain":
            yield bases.reference(params, job.instance)
        case "requests" | "generate":  # both name the weights in a request's key
            name = params.synthetic[job.instance.partition("/")[0]].generator
            if params.generators[name].backend != "openai":
                yield _model(f"generators.{name}", params.generators[name])

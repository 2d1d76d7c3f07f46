# Shared by all rule files. The checked params, the names the artifacts are built over, and functions that choose inputs.
from pathlib import Path

from snakemake.exceptions import WorkflowError

from snow import workflow as snow_workflow
from snow.errors import SnowError


def reads(stage):
    """What besides its inputs decides the result of a job of this stage."""
    return snow_workflow.reads(PARAMS, stage)


def shards_of(pattern):
    """The files of a sharded artifact."""
    return expand(pattern, shard=SHARDS)


def source_files(wildcards):
    """What a collection job can be said to read: the lock of an environment it collects, the data files it is given."""
    files = []
    for source in PARAMS.sources:
        if source.kind == "environment":
            files += [
                f"envs/{Path(path).name}.txt"
                for path in source.paths
                if Path(path).parent.name == ".envs"
            ]
        elif source.kind in ("parquet", "jsonl", "archive"):
            files += source.paths
    return files


def documents_of(wildcards):
    """Where the documents of a part come from: the corpus, or what the generator wrote."""
    folder = (
        "synthetic/refined" if wildcards.part == "phase3" else "corpus/decontaminated"
    )
    return f"{folder}/{wildcards.shard}.parquet"


def selection_of(wildcards):
    """The table that narrows a part to chosen documents; phase 1, the held-out part and phase 3 take all of theirs."""
    return {
        "phase2": "quality/selected.parquet",
        "control": "quality/control.parquet",
    }.get(wildcards.part, [])


def files_of_part(wildcards, suffix):
    """The token files or indexes of a phase, shard by shard; the synthetic part has a single shard."""
    shards = SHARDS[:1] if wildcards.phase == "phase3" else SHARDS
    return expand(
        "tokens/{part}/{shard}{suffix}",
        part=wildcards.phase,
        shard=shards,
        suffix=suffix,
    )


def tokens_of(wildcards):
    """The token files a phase trains on."""
    return files_of_part(wildcards, ".bin")


def index_of(wildcards):
    """The indexes of the token files a phase trains on."""
    return files_of_part(wildcards, ".index.parquet")


def previous_model(wildcards):
    """The checkpoint whose weights a phase begins from, or nothing when it starts from scratch."""
    begin = getattr(PARAMS.pretrain, wildcards.phase).begin_from
    return [] if begin == "scratch" else f"models/{begin}"


def all_receipts(wildcards):
    """The receipts of every job before the report, each once, in the artifacts' order."""
    return [
        path
        for name, files in ARTIFACTS.items()
        if name != "report"
        for path in dict.fromkeys(files)
        if path.startswith("receipts/")
    ]


def per_shard(stage, *patterns):
    """The files of a sharded artifact with its receipts."""
    return shards_of([*patterns, f"receipts/{stage}/{{shard}}.json"])


def tokens_target(part, shards):
    """The files of one packed part with its receipts."""
    patterns = [
        "tokens/{part}/{shard}.bin",
        "tokens/{part}/{shard}.index.parquet",
        "receipts/pack/{part}/{shard}.json",
    ]
    return expand(patterns, part=part, shard=shards)


try:
    PARAMS = snow_workflow.prepare(config)
except SnowError as error:
    raise WorkflowError(str(error)) from None

SHARDS = [f"{number:05}" for number in range(PARAMS.shards)]
GENERATIONS = [f"{number:05}" for number in range(PARAMS.synthesis.shards)]
SUITES = list(PARAMS.evaluation.suites)
MODELS = ["phase1", "phase2", "control", "phase3"]
CORPUS_PARTS = ["heldout", "phase1", "phase2", "control"]
TORCH_THREADS = 2


growing = snow_workflow.growing


wildcard_constraints:
    shard=r"\d{5}",
    part="heldout|phase1|phase2|control|phase3",
    phase="|".join(MODELS),
    model="|".join(MODELS),
    suite=r"[A-Za-z0-9_+-]+",

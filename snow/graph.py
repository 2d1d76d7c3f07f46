"""The recipe's graph by name: the instances of every stage and the files of every artifact, for the Snakefile and for `snow check`.

The rules say how a file is made; this module says over what the recipe is made, so that `why`, `plan` and the DVC stages
speak of the same things without asking Snakemake.
"""

from __future__ import annotations

from snow.params import Params

MODELS = ("phase1", "phase2", "control", "phase3")
CORPUS_PARTS = ("heldout", "phase1", "phase2", "control")  # packed from the corpus; phase 3 from what the generator wrote
SYNTHETIC_SHARD = "00000"  # refinement looks at all generations at once and writes one file


def shards(params: Params) -> list[str]:
    """Names of the corpus shards."""
    return [f"{number:05}" for number in range(params.shards)]


def generations(params: Params) -> list[str]:
    """Names of the generation shards."""
    return [f"{number:05}" for number in range(params.synthesis.shards)]


def suites(params: Params) -> list[str]:
    """Names of the benchmark suites."""
    return list(params.evaluation.suites)


def instances(params: Params) -> dict[str, list[str]]:
    """Every job of the recipe: stage name to instances."""
    every = shards(params)
    evaluations = [f"{model}/{suite}" for model in MODELS for suite in suites(params)]
    parts = [f"{part}/{shard}" for part in CORPUS_PARTS for shard in every] + [f"phase3/{SYNTHETIC_SHARD}"]
    return {
        "collect": every,
        "measure": every,
        "clean": every,
        "sign": every,
        "cluster": ["all"],
        "unique": every,
        "suite": suites(params),
        "decontaminate": every,
        "split": ["all"],
        "tokenizer": ["all"],
        "pack": parts,
        "pretrain": list(MODELS),
        "annotate": ["all"],
        "score": every,
        "select": ["all"],
        "generate": generations(params),
        "refine": ["all"],
        "complete": evaluations,
        "judge": evaluations,
        "bits": list(MODELS),
        "report": ["all"],
    }


def receipt(stage: str, instance: str) -> str:
    """Where a job's receipt lies."""
    return f"receipts/{stage}/{instance}.json"


def artifacts(params: Params) -> dict[str, list[str]]:
    """The files of every artifact by the name of its DVC stage, which is also a Snakemake target; receipts included."""
    every = shards(params)

    def sharded(stage: str, *patterns: str) -> list[str]:
        return [pattern.format(shard) for pattern in (*patterns, f"receipts/{stage}/{{}}.json") for shard in every]

    def packed(part: str, over: list[str]) -> list[str]:
        patterns = ("tokens/{part}/{shard}.bin", "tokens/{part}/{shard}.index.parquet", "receipts/pack/{part}/{shard}.json")
        return [pattern.format(part=part, shard=shard) for pattern in patterns for shard in over]

    def evaluated(model: str) -> list[str]:
        files = [f"eval/{model}/bits.json", receipt("bits", model)]
        for suite in suites(params):
            files += [f"eval/{model}/{suite}/completions.jsonl", f"eval/{model}/{suite}/verdicts.jsonl"]
            files += [receipt("complete", f"{model}/{suite}"), receipt("judge", f"{model}/{suite}")]
        return files

    return {
        "corpus-raw": sharded("collect", "corpus/raw/{}.parquet"),
        "corpus-signals": sharded("measure", "corpus/signals/{}.parquet"),
        "corpus-clean": sharded("clean", "corpus/clean/{}.parquet", "corpus/decisions/{}.parquet"),
        "corpus-signatures": sharded("sign", "corpus/signatures/{}.parquet"),
        "corpus-clusters": ["corpus/clusters", receipt("cluster", "all")],
        "corpus-unique": sharded("unique", "corpus/unique/{}.parquet"),
        "suites": [file for suite in suites(params) for file in (f"suites/{suite}.jsonl", receipt("suite", suite))],
        "corpus-decontaminated": sharded("decontaminate", "corpus/decontaminated/{}.parquet", "corpus/ledger/{}.parquet"),
        "corpus-heldout": ["corpus/heldout.json", receipt("split", "all")],
        "tokenizer": ["tokenizer", receipt("tokenizer", "all")],
        **{f"tokens-{part}": packed(part, every) for part in CORPUS_PARTS},
        "tokens-phase3": packed("phase3", [SYNTHETIC_SHARD]),
        **{f"models-{model}": [f"models/{model}", receipt("pretrain", model)] for model in MODELS},
        "quality-annotator": ["quality/annotator", receipt("annotate", "all")],
        "quality-scores": sharded("score", "quality/scores/{}.parquet"),
        "quality-selected": ["quality/selected.parquet", "quality/control.parquet", receipt("select", "all")],
        "synthetic-raw": [file for shard in generations(params) for file in (f"synthetic/raw/{shard}.parquet", receipt("generate", shard))],
        "synthetic-refined": [f"synthetic/refined/{SYNTHETIC_SHARD}.parquet", "synthetic/decisions.parquet", receipt("refine", "all")],
        **{f"eval-{model}": evaluated(model) for model in MODELS},
        "report": ["report", receipt("report", "all")],
    }

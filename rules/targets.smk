# One target per artifact, under the name its DVC stage has: `snakemake corpus-clean` builds just that and what it needs.


ARTIFACTS = {
    "corpus-raw": per_shard("collect", "corpus/raw/{shard}.parquet"),
    "corpus-signals": per_shard("measure", "corpus/signals/{shard}.parquet"),
    "corpus-clean": per_shard(
        "clean", "corpus/clean/{shard}.parquet", "corpus/decisions/{shard}.parquet"
    ),
    "corpus-signatures": per_shard("sign", "corpus/signatures/{shard}.parquet"),
    "corpus-clusters": ["corpus/clusters.parquet", "receipts/cluster/all.json"],
    "corpus-unique": per_shard("unique", "corpus/unique/{shard}.parquet"),
    "suites": expand(
        ["suites/{suite}.jsonl", "receipts/suite/{suite}.json"], suite=SUITES
    ),
    "corpus-decontaminated": per_shard(
        "decontaminate",
        "corpus/decontaminated/{shard}.parquet",
        "corpus/ledger/{shard}.parquet",
    ),
    "corpus-heldout": ["corpus/heldout.json", "receipts/split/all.json"],
    "tokenizer": ["tokenizer", "receipts/tokenizer/all.json"],
    **{f"tokens-{part}": tokens_target(part, SHARDS) for part in CORPUS_PARTS},
    "tokens-phase3": tokens_target("phase3", SHARDS[:1]),
    **{
        f"models-{phase}": [f"models/{phase}", f"receipts/pretrain/{phase}.json"]
        for phase in MODELS
    },
    "quality-annotator": ["quality/annotator", "receipts/annotate/all.json"],
    "quality-scores": per_shard("score", "quality/scores/{shard}.parquet"),
    "quality-selected": [
        "quality/selected.parquet",
        "quality/control.parquet",
        "receipts/select/all.json",
    ],
    "synthetic-raw": expand(
        ["synthetic/raw/{shard}.parquet", "receipts/generate/{shard}.json"],
        shard=GENERATIONS,
    ),
    "synthetic-refined": [
        "synthetic/refined/00000.parquet",
        "synthetic/decisions.parquet",
        "receipts/refine/all.json",
    ],
    **{
        f"eval-{model}": expand(
            [
                "eval/{model}/{suite}/completions.jsonl",
                "eval/{model}/{suite}/verdicts.jsonl",
                "eval/{model}/bits.json",
                "receipts/complete/{model}/{suite}.json",
                "receipts/judge/{model}/{suite}.json",
                "receipts/bits/{model}.json",
            ],
            model=model,
            suite=SUITES,
        )
        for model in MODELS
    },
    "report": ["report", "receipts/report/all.json"],
}

for artifact, files in ARTIFACTS.items():
    if artifact in (
        "report",
        "tokenizer",
    ):  # the rules that make them have these names already
        continue

    rule:
        name:
            artifact
        input:
            files,

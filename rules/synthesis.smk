# Code that a large model writes from the selected documents, and what of it is worth training on.
rule generate:
    input:
        spec=".snow/spec/generate-{shard}.json",
        documents=shards_of("corpus/decontaminated/{shard}.parquet"),
        selected="quality/selected.parquet",
    output:
        generations="synthetic/raw/{shard}.parquet",
        receipt="receipts/generate/{shard}.json",
    log:
        "logs/generate/{shard}.log",
    benchmark:
        "logs/generate/{shard}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: TORCH_THREADS
    resources:
        mem_mb=growing(4000),
        runtime=growing(1440),
    shell:
        "snow generate {wildcards.shard} --threads {threads} --input documents {input.documents} --input selected {input.selected} --output generations {output.generations} --output receipt {output.receipt} > {log} 2>&1"


rule refine:
    input:
        spec=".snow/spec/refine.json",
        generations=expand("synthetic/raw/{shard}.parquet", shard=GENERATIONS),
        suites=expand("suites/{suite}.jsonl", suite=SUITES),
    output:
        documents="synthetic/refined/00000.parquet",
        decisions="synthetic/decisions.parquet",
        receipt="receipts/refine/all.json",
    log:
        "logs/refine/all.log",
    benchmark:
        "logs/refine/all.tsv"
    conda:
        "../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(240),
    shell:
        "snow refine --input generations {input.generations} --input suites {input.suites} --output documents {output.documents} --output decisions {output.decisions} --output receipt {output.receipt} > {log} 2>&1"

# Code that a large model writes from selected documents, and what of it is worth training on.


rule requests:
    input:
        documents=given("requests", "documents"),
        selection=given("requests", "selection"),
    output:
        requests=directory("synthetic/{synthetic}/requests"),
        receipt="receipts/requests/{synthetic}.json",
    log:
        "logs/requests/{synthetic}.log",
    benchmark:
        "logs/requests/{synthetic}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(480),
    params:
        files=files,
    shell:
        "snow requests {wildcards.synthetic} {params.files} > {log} 2>&1"


rule generate:
    input:
        requests="synthetic/{synthetic}/requests",
    output:
        generations="synthetic/{synthetic}/raw/{shard}.parquet",
        receipt="receipts/generate/{synthetic}/{shard}.json",
    log:
        "logs/generate/{synthetic}/{shard}.log",
    benchmark:
        "logs/generate/{synthetic}/{shard}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: TORCH_THREADS
    resources:
        mem_mb=growing(4000),
        runtime=growing(1440),
        gpu=generator_gpus,
    shell:
        "snow generate {wildcards.synthetic}/{wildcards.shard} --threads {threads} --gpus {resources.gpu} --input requests {input.requests}/{wildcards.shard}.parquet --output generations {output.generations} --output receipt {output.receipt} > {log} 2>&1"


rule refine:
    input:
        generations=given("refine", "generations"),
        suites=given("refine", "suites"),
    output:
        documents="synthetic/{synthetic}/refined/00000.parquet",
        decisions="synthetic/{synthetic}/decisions.parquet",
        receipt="receipts/refine/{synthetic}.json",
    log:
        "logs/refine/{synthetic}.log",
    benchmark:
        "logs/refine/{synthetic}.tsv"
    conda:
        "../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(240),
    params:
        files=files,
    shell:
        "snow refine {wildcards.synthetic} {params.files} > {log} 2>&1"

# Annotators that recognise high-quality code, their score of every document, and selections by them.


rule annotate:
    input:
        documents=given("annotate", "documents"),
        heldout="corpus/heldout.json",
        suites=given("annotate", "suites"),
    output:
        annotator=directory("quality/{annotator}/annotator"),
        receipt="receipts/annotate/{annotator}.json",
    log:
        "logs/annotate/{annotator}.log",
    benchmark:
        "logs/annotate/{annotator}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: TORCH_THREADS
    resources:
        mem_mb=growing(4000),
        runtime=growing(480),
        gpu=one_gpu,
    params:
        files=files,
    shell:
        "snow annotate {wildcards.annotator} --threads {threads} --gpus {resources.gpu} {params.files} > {log} 2>&1"


rule score:
    input:
        documents="corpus/decontaminated/{shard}.parquet",
        annotator="quality/{annotator}/annotator",
    output:
        scores="quality/{annotator}/scores/{shard}.parquet",
        receipt="receipts/score/{annotator}/{shard}.json",
    log:
        "logs/score/{annotator}/{shard}.log",
    benchmark:
        "logs/score/{annotator}/{shard}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: TORCH_THREADS
    resources:
        mem_mb=growing(4000),
        runtime=growing(480),
        gpu=one_gpu,
    params:
        files=files,
    shell:
        "snow score {wildcards.annotator}/{wildcards.shard} --threads {threads} --gpus {resources.gpu} {params.files} > {log} 2>&1"


rule select:
    input:
        scores=given("select", "scores"),
        index=given("select", "index"),
        like=given("select", "like"),
    output:
        selection="quality/selections/{selection}/documents.parquet",
        receipt="receipts/select/{selection}.json",
    log:
        "logs/select/{selection}.log",
    benchmark:
        "logs/select/{selection}.tsv"
    conda:
        "../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(120),
    params:
        files=files,
    shell:
        "snow select {wildcards.selection} {params.files} > {log} 2>&1"

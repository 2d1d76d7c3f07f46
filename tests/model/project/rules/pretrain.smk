# Screened documents to models.


rule pack:
    input:
        documents="corpus/screened/{shard}.txt",
    output:
        tokens="tokens/{set}/{shard}.txt",
        receipt="receipts/pack/{set}/{shard}.json",
    log:
        "logs/pack/{set}/{shard}.log",
    benchmark:
        "logs/pack/{set}/{shard}.tsv"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        files=files,
    shell:
        "snow pack {wildcards.set}/{wildcards.shard} {params.files} > {log} 2>&1"


rule train:
    input:
        unpack(all_given("train")),
    output:
        model=directory("models/{model}"),
        receipt="receipts/train/{model}.json",
    log:
        "logs/train/{model}.log",
    benchmark:
        "logs/train/{model}.tsv"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        files=files,
    shell:
        "snow train {wildcards.model} {params.files} > {log} 2>&1"

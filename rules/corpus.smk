# From sources to a corpus: collected, filtered, deduplicated, decontaminated. Everything is one job per shard but the clustering.


rule collect:
    input:
        spec=".snow/spec/collect-{shard}.json",
    output:
        documents="corpus/raw/{shard}.parquet",
        receipt="receipts/collect/{shard}.json",
    log:
        "logs/collect/{shard}.log",
    benchmark:
        "logs/collect/{shard}.tsv"
    conda:
        "../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(240),
    shell:
        "snow collect {wildcards.shard} --output documents {output.documents} --output receipt {output.receipt} > {log} 2>&1"


rule measure:
    input:
        spec=".snow/spec/measure.json",
        documents="corpus/raw/{shard}.parquet",
    output:
        signals="corpus/signals/{shard}.parquet",
        receipt="receipts/measure/{shard}.json",
    log:
        "logs/measure/{shard}.log",
    benchmark:
        "logs/measure/{shard}.tsv"
    conda:
        "../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(240),
    shell:
        "snow measure {wildcards.shard} --input documents {input.documents} --output signals {output.signals} --output receipt {output.receipt} > {log} 2>&1"


rule clean:
    input:
        spec=".snow/spec/clean.json",
        documents="corpus/raw/{shard}.parquet",
        signals="corpus/signals/{shard}.parquet",
    output:
        documents="corpus/clean/{shard}.parquet",
        decisions="corpus/decisions/{shard}.parquet",
        receipt="receipts/clean/{shard}.json",
    log:
        "logs/clean/{shard}.log",
    benchmark:
        "logs/clean/{shard}.tsv"
    conda:
        "../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(120),
    shell:
        "snow clean {wildcards.shard} --input documents {input.documents} --input signals {input.signals} --output documents {output.documents} --output decisions {output.decisions} --output receipt {output.receipt} > {log} 2>&1"


rule sign:
    input:
        spec=".snow/spec/sign.json",
        documents="corpus/clean/{shard}.parquet",
    output:
        signatures="corpus/signatures/{shard}.parquet",
        receipt="receipts/sign/{shard}.json",
    log:
        "logs/sign/{shard}.log",
    benchmark:
        "logs/sign/{shard}.tsv"
    conda:
        "../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(120),
    shell:
        "snow sign {wildcards.shard} --input documents {input.documents} --output signatures {output.signatures} --output receipt {output.receipt} > {log} 2>&1"


rule cluster:
    input:
        spec=".snow/spec/cluster.json",
        signatures=shards_of("corpus/signatures/{shard}.parquet"),
    output:
        clusters=directory("corpus/clusters"),
        receipt="receipts/cluster/all.json",
    log:
        "logs/cluster/all.log",
    benchmark:
        "logs/cluster/all.tsv"
    conda:
        "../envs/base.yaml"
    threads: 2
    resources:
        mem_mb=growing(4000),
        runtime=growing(480),
    shell:
        "snow cluster --threads {threads} --input signatures {input.signatures} --output clusters {output.clusters} --output receipt {output.receipt} > {log} 2>&1"


rule unique:
    input:
        spec=".snow/spec/unique.json",
        documents="corpus/clean/{shard}.parquet",
        clusters="corpus/clusters",
    output:
        documents="corpus/unique/{shard}.parquet",
        receipt="receipts/unique/{shard}.json",
    log:
        "logs/unique/{shard}.log",
    benchmark:
        "logs/unique/{shard}.tsv"
    conda:
        "../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(120),
    shell:
        "snow unique {wildcards.shard} --input documents {input.documents} --input clusters {input.clusters}/{wildcards.shard}.parquet --output documents {output.documents} --output receipt {output.receipt} > {log} 2>&1"


rule decontaminate:
    input:
        spec=".snow/spec/decontaminate.json",
        documents="corpus/unique/{shard}.parquet",
        suites=expand("suites/{suite}.jsonl", suite=SUITES),
    output:
        documents="corpus/decontaminated/{shard}.parquet",
        ledger="corpus/ledger/{shard}.parquet",
        receipt="receipts/decontaminate/{shard}.json",
    log:
        "logs/decontaminate/{shard}.log",
    benchmark:
        "logs/decontaminate/{shard}.tsv"
    conda:
        "../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(240),
    shell:
        "snow decontaminate {wildcards.shard} --input documents {input.documents} --input suites {input.suites} --output documents {output.documents} --output ledger {output.ledger} --output receipt {output.receipt} > {log} 2>&1"

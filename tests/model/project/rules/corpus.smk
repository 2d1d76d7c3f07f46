# Sources to screened documents.


rule gather:
    input:
        spec=".snow/spec/gather-{shard}.json",
    output:
        documents="corpus/raw/{shard}.txt",
        receipt="receipts/gather/{shard}.json",
    log:
        "logs/gather/{shard}.log",
    benchmark:
        "logs/gather/{shard}.tsv"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        files=files,
    shell:
        "snow gather {wildcards.shard} {params.files} > {log} 2>&1"


rule shape:
    input:
        documents="corpus/raw/{shard}.txt",
    output:
        documents="corpus/shaped/{shard}.txt",
        decisions="corpus/decisions/{shard}.txt",
        receipt="receipts/shape/{shard}.json",
    log:
        "logs/shape/{shard}.log",
    benchmark:
        "logs/shape/{shard}.tsv"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        files=files,
    shell:
        "snow shape {wildcards.shard} {params.files} > {log} 2>&1"


rule merge:
    input:
        documents=given("merge", "documents"),
    output:
        merged=directory("corpus/merged"),
        receipt="receipts/merge/all.json",
    log:
        "logs/merge/all.log",
    benchmark:
        "logs/merge/all.tsv"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        files=files,
    shell:
        "snow merge {params.files} > {log} 2>&1"


rule screen:
    input:
        documents="corpus/shaped/{shard}.txt",
        merged="corpus/merged",
        suites=given("screen", "suites"),
    output:
        documents="corpus/screened/{shard}.txt",
        receipt="receipts/screen/{shard}.json",
    log:
        "logs/screen/{shard}.log",
    benchmark:
        "logs/screen/{shard}.tsv"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    shell:
        "snow screen {wildcards.shard} --input documents {input.documents} --input merged {input.merged}/{wildcards.shard}.txt --input suites {input.suites} --output documents {output.documents} --output receipt {output.receipt} > {log} 2>&1"

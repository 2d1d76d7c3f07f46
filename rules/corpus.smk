# Sources to decontaminated documents, the benchmarks they are cleared of, and the repositories that are held out.


rule collect:
    input:
        spec=".snow/spec/collect-{shard}.json",
    output:
        documents="corpus/raw/{shard}.parquet",
        repositories="corpus/repositories/{shard}.parquet",
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
    params:
        files=files,
    shell:
        "snow collect {wildcards.shard} {params.files} > {log} 2>&1"


rule partition:
    input:
        documents=given("partition", "documents"),
    output:
        documents=directory("corpus/partitioned"),
        receipt="receipts/partition/all.json",
    log:
        "logs/partition/all.log",
    benchmark:
        "logs/partition/all.tsv"
    conda:
        "../envs/base.yaml"
    threads: 2
    resources:
        mem_mb=growing(4000),
        runtime=growing(480),
    params:
        files=files,
    shell:
        "snow partition --threads {threads} {params.files} > {log} 2>&1"


rule measure:
    input:
        documents="corpus/partitioned",
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
        "snow measure {wildcards.shard} --input documents {input.documents}/{wildcards.shard}.parquet --output signals {output.signals} --output receipt {output.receipt} > {log} 2>&1"


rule filter:
    input:
        documents="corpus/partitioned",
        signals="corpus/signals/{shard}.parquet",
    output:
        documents="corpus/filtered/{shard}.parquet",
        decisions="corpus/decisions/{shard}.parquet",
        receipt="receipts/filter/{shard}.json",
    log:
        "logs/filter/{shard}.log",
    benchmark:
        "logs/filter/{shard}.tsv"
    conda:
        "../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(120),
    shell:
        "snow filter {wildcards.shard} --input documents {input.documents}/{wildcards.shard}.parquet --input signals {input.signals} --output documents {output.documents} --output decisions {output.decisions} --output receipt {output.receipt} > {log} 2>&1"


rule redact:
    input:
        documents="corpus/filtered/{shard}.parquet",
    output:
        documents="corpus/redacted/{shard}.parquet",
        redactions="corpus/redactions/{shard}.parquet",
        receipt="receipts/redact/{shard}.json",
    log:
        "logs/redact/{shard}.log",
    benchmark:
        "logs/redact/{shard}.tsv"
    conda:
        "../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(240),
    params:
        files=files,
    shell:
        "snow redact {wildcards.shard} {params.files} > {log} 2>&1"


rule minhash:
    input:
        documents=given("minhash", "documents"),
    output:
        signatures="corpus/signatures/{shard}.parquet",
        receipt="receipts/minhash/{shard}.json",
    log:
        "logs/minhash/{shard}.log",
    benchmark:
        "logs/minhash/{shard}.tsv"
    conda:
        "../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(120),
    params:
        files=files,
    shell:
        "snow minhash {wildcards.shard} {params.files} > {log} 2>&1"


rule duplicates:
    input:
        signatures=given("duplicates", "signatures"),
    output:
        duplicates=directory("corpus/duplicates"),
        receipt="receipts/duplicates/all.json",
    log:
        "logs/duplicates/all.log",
    benchmark:
        "logs/duplicates/all.tsv"
    conda:
        "../envs/base.yaml"
    threads: 2
    resources:
        mem_mb=growing(4000),
        runtime=growing(480),
    params:
        files=files,
    shell:
        "snow duplicates --threads {threads} {params.files} > {log} 2>&1"


rule unique:
    input:
        documents=given("unique", "documents"),
        duplicates="corpus/duplicates",
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
        "snow unique {wildcards.shard} --input documents {input.documents} --input duplicates {input.duplicates}/{wildcards.shard}.parquet --output documents {output.documents} --output receipt {output.receipt} > {log} 2>&1"


rule suite:
    input:
        spec=".snow/spec/suite-{suite}.json",
    output:
        suite="suites/{suite}.jsonl",
        receipt="receipts/suite/{suite}.json",
    log:
        "logs/suite/{suite}.log",
    benchmark:
        "logs/suite/{suite}.tsv"
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(30),
    params:
        files=files,
    shell:
        "snow suite {wildcards.suite} {params.files} > {log} 2>&1"


rule decontaminate:
    input:
        documents="corpus/unique/{shard}.parquet",
        suites=given("decontaminate", "suites"),
    output:
        documents="corpus/decontaminated/{shard}.parquet",
        matches="corpus/matches/{shard}.parquet",
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
    params:
        files=files,
    shell:
        "snow decontaminate {wildcards.shard} {params.files} > {log} 2>&1"


rule holdout:
    input:
        documents=given("holdout", "documents"),
    output:
        heldout="corpus/heldout.json",
        receipt="receipts/holdout/all.json",
    log:
        "logs/holdout/all.log",
    benchmark:
        "logs/holdout/all.tsv"
    conda:
        "../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        files=files,
    shell:
        "snow holdout {params.files} > {log} 2>&1"

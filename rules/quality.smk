# The annotator that recognises high-quality code, the score of every document, and the choice of phase 2's tokens.
rule annotate:
    input:
        spec=".snow/spec/annotate-all.json",
        documents=shards_of("corpus/decontaminated/{shard}.parquet"),
        heldout="corpus/heldout.json",
        suites=expand("suites/{suite}.jsonl", suite=SUITES),
    output:
        annotator=directory("quality/annotator"),
        receipt="receipts/annotate/all.json",
    log:
        "logs/annotate/all.log",
    benchmark:
        "logs/annotate/all.tsv"
    conda:
        "../envs/torch.yaml"
    threads: TORCH_THREADS
    resources:
        mem_mb=growing(4000),
        runtime=growing(480),
    shell:
        "snow annotate --threads {threads} --input documents {input.documents} --input heldout {input.heldout} --input suites {input.suites} --output annotator {output.annotator} --output receipt {output.receipt} > {log} 2>&1"


rule score:
    input:
        spec=".snow/spec/score.json",
        documents="corpus/decontaminated/{shard}.parquet",
        annotator="quality/annotator",
    output:
        scores="quality/scores/{shard}.parquet",
        receipt="receipts/score/{shard}.json",
    log:
        "logs/score/{shard}.log",
    benchmark:
        "logs/score/{shard}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: TORCH_THREADS
    resources:
        mem_mb=growing(4000),
        runtime=growing(480),
    shell:
        "snow score {wildcards.shard} --threads {threads} --input documents {input.documents} --input annotator {input.annotator} --output scores {output.scores} --output receipt {output.receipt} > {log} 2>&1"


rule select:
    input:
        spec=".snow/spec/select.json",
        scores=shards_of("quality/scores/{shard}.parquet"),
        index=shards_of("tokens/phase1/{shard}.index.parquet"),
    output:
        selected="quality/selected.parquet",
        control="quality/control.parquet",
        receipt="receipts/select/all.json",
    log:
        "logs/select/all.log",
    benchmark:
        "logs/select/all.tsv"
    conda:
        "../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(120),
    shell:
        "snow select --input scores {input.scores} --input index {input.index} --output selected {output.selected} --output control {output.control} --output receipt {output.receipt} > {log} 2>&1"

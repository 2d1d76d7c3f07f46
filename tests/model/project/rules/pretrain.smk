# Models.


rule train:
    input:
        spec=".snow/spec/train-{model}.json",
        documents=shards_of("corpus/screened/{shard}.txt"),
        model=previous_model,
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
    shell:
        "snow train {wildcards.model} --input documents {input.documents} --input model {input.model} --output model {output.model} --output receipt {output.receipt} > {log} 2>&1"

# Documents to tokens, tokens to checkpoints: phase 1, phase 2 and its control on random documents, phase 3.


rule split:
    input:
        spec=".snow/spec/split.json",
        documents=shards_of("corpus/decontaminated/{shard}.parquet"),
    output:
        heldout="corpus/heldout.json",
        receipt="receipts/split/all.json",
    log:
        "logs/split/all.log",
    benchmark:
        "logs/split/all.tsv"
    conda:
        "../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    shell:
        "snow split --input documents {input.documents} --output heldout {output.heldout} --output receipt {output.receipt} > {log} 2>&1"


rule tokenizer:
    input:
        spec=".snow/spec/tokenizer-all.json",
        documents=shards_of("corpus/decontaminated/{shard}.parquet"),
        heldout="corpus/heldout.json",
    output:
        tokenizer=directory("tokenizer"),
        receipt="receipts/tokenizer/all.json",
    log:
        "logs/tokenizer/all.log",
    benchmark:
        "logs/tokenizer/all.tsv"
    conda:
        "../envs/torch.yaml"
    threads: TORCH_THREADS
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    shell:
        "snow tokenizer --threads {threads} --input documents {input.documents} --input heldout {input.heldout} --output tokenizer {output.tokenizer} --output receipt {output.receipt} > {log} 2>&1"


rule pack:
    input:
        spec=".snow/spec/pack.json",
        documents=documents_of,
        heldout="corpus/heldout.json",
        tokenizer="tokenizer",
        selection=selection_of,
    output:
        tokens="tokens/{part}/{shard}.bin",
        index="tokens/{part}/{shard}.index.parquet",
        receipt="receipts/pack/{part}/{shard}.json",
    log:
        "logs/pack/{part}/{shard}.log",
    benchmark:
        "logs/pack/{part}/{shard}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(240),
    shell:
        "snow pack {wildcards.part}/{wildcards.shard} --input documents {input.documents} --input heldout {input.heldout} --input tokenizer {input.tokenizer} --input selection {input.selection} --output tokens {output.tokens} --output index {output.index} --output receipt {output.receipt} > {log} 2>&1"


rule pretrain:
    input:
        spec=".snow/spec/pretrain-{phase}.json",
        tokens=tokens_of,
        index=index_of,
        heldout=shards_of("tokens/heldout/{shard}.bin"),
        heldout_index=shards_of("tokens/heldout/{shard}.index.parquet"),
        tokenizer="tokenizer",
        model=previous_model,
    output:
        model=directory("models/{phase}"),
        receipt="receipts/pretrain/{phase}.json",
    log:
        "logs/pretrain/{phase}.log",
    benchmark:
        "logs/pretrain/{phase}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: TORCH_THREADS
    resources:
        mem_mb=growing(6000),
        runtime=growing(2880),
    shell:
        "snow pretrain {wildcards.phase} --threads 2 --input tokens {input.tokens} --input index {input.index} --input heldout {input.heldout} --input heldout_index {input.heldout_index} --input tokenizer {input.tokenizer} --input model {input.model} --output model {output.model} --output receipt {output.receipt} > {log} 2>&1"

# Documents to tokens, tokens to models.


rule tokenizer:
    input:
        documents=given("tokenizer", "documents"),
        heldout="corpus/heldout.json",
    output:
        tokenizer=directory("tokenizers/{tokenizer}"),
        receipt="receipts/tokenizer/{tokenizer}.json",
    log:
        "logs/tokenizer/{tokenizer}.log",
    benchmark:
        "logs/tokenizer/{tokenizer}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: TORCH_THREADS
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        files=files,
    shell:
        "snow tokenizer {wildcards.tokenizer} --threads {threads} {params.files} > {log} 2>&1"


rule pack:
    input:
        unpack(all_given("pack")),
    output:
        tokens="tokens/{set}/{shard}.bin",
        index="tokens/{set}/{shard}.index.parquet",
        receipt="receipts/pack/{set}/{shard}.json",
    log:
        "logs/pack/{set}/{shard}.log",
    benchmark:
        "logs/pack/{set}/{shard}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(240),
    params:
        files=files,
    shell:
        "snow pack {wildcards.set}/{wildcards.shard} {params.files} > {log} 2>&1"


rule pretrain:
    input:
        unpack(all_given("pretrain")),
    output:
        model=directory("models/{model}"),
        receipt="receipts/pretrain/{model}.json",
    log:
        "logs/pretrain/{model}.log",
    benchmark:
        "logs/pretrain/{model}.tsv"
    wildcard_constraints:
        model=one_of(PARAMS.models),
    conda:
        "../envs/torch.yaml"
    threads: TORCH_THREADS
    resources:
        mem_mb=growing(6000),
        runtime=growing(2880),
        gpu=one_gpu,
    params:
        files=files,
        threads=pretrain_threads,
    shell:
        "snow pretrain {wildcards.model} --threads {params.threads} --gpus {resources.gpu} {params.files} > {log} 2>&1"

# Benchmarks: pinned data, completions, verdicts from the suites' own checkers inside the sandbox, bits per byte.
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
    shell:
        "snow suite {wildcards.suite} --output suite {output.suite} --output receipt {output.receipt} > {log} 2>&1"


rule complete:
    input:
        spec=".snow/spec/complete.json",
        model="models/{model}",
        suite="suites/{suite}.jsonl",
    output:
        completions="eval/{model}/{suite}/completions.jsonl",
        receipt="receipts/complete/{model}/{suite}.json",
    log:
        "logs/complete/{model}/{suite}.log",
    benchmark:
        "logs/complete/{model}/{suite}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: TORCH_THREADS
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    shell:
        "snow complete {wildcards.model}/{wildcards.suite} --threads {threads} --input model {input.model} --input suite {input.suite} --output completions {output.completions} --output receipt {output.receipt} > {log} 2>&1"


rule judge:
    input:
        spec=".snow/spec/judge.json",
        completions="eval/{model}/{suite}/completions.jsonl",
        suite="suites/{suite}.jsonl",
    output:
        verdicts="eval/{model}/{suite}/verdicts.jsonl",
        receipt="receipts/judge/{model}/{suite}.json",
    log:
        "logs/judge/{model}/{suite}.log",
    benchmark:
        "logs/judge/{model}/{suite}.tsv"
    conda:
        "../envs/eval.yaml"
    threads: 2
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    shell:
        "snow judge {wildcards.model}/{wildcards.suite} --threads {threads} --input completions {input.completions} --input suite {input.suite} --output verdicts {output.verdicts} --output receipt {output.receipt} > {log} 2>&1"


rule bits:
    input:
        spec=".snow/spec/bits.json",
        model="models/{model}",
        suites=expand("suites/{suite}.jsonl", suite=SUITES),
        tokens=shards_of("tokens/heldout/{shard}.bin"),
        index=shards_of("tokens/heldout/{shard}.index.parquet"),
    output:
        bits="eval/{model}/bits.json",
        receipt="receipts/bits/{model}.json",
    log:
        "logs/bits/{model}.log",
    benchmark:
        "logs/bits/{model}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: TORCH_THREADS
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    shell:
        "snow bits {wildcards.model} --threads {threads} --input model {input.model} --input suites {input.suites} --input tokens {input.tokens} --input index {input.index} --output bits {output.bits} --output receipt {output.receipt} > {log} 2>&1"

# Others' models to compare with; completions, verdicts from the suites' own checkers inside the sandbox, bits per byte,
# right against broken solutions.


rule obtain:
    input:
        spec=".snow/spec/obtain-{model}.json",
    output:
        model=directory("models/{model}"),
        receipt="receipts/obtain/{model}.json",
    log:
        "logs/obtain/{model}.log",
    benchmark:
        "logs/obtain/{model}.tsv"
    wildcard_constraints:
        model=one_of(PARAMS.evaluation.compare_with),
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=growing(16000),
        runtime=growing(240),
    params:
        files=files,
    shell:
        "snow obtain {wildcards.model} {params.files} > {log} 2>&1"


rule complete:
    input:
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
        gpu=one_gpu,
    params:
        files=files,
    shell:
        "snow complete {wildcards.model}/{wildcards.suite} --threads {threads} --gpus {resources.gpu} {params.files} > {log} 2>&1"


rule judge:
    input:
        completions="eval/{model}/{suite}/completions.jsonl",
        suite="suites/{suite}.jsonl",
    output:
        verdicts="eval/{model}/{suite}/verdicts.jsonl",
        results="eval/{model}/{suite}/completions_eval_results.json",
        receipt="receipts/judge/{model}/{suite}.json",
    log:
        "logs/judge/{model}/{suite}.log",
    benchmark:
        "logs/judge/{model}/{suite}.tsv"
    conda:
        environment("judge")
    threads: 2
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        files=files,
    shell:
        "snow judge {wildcards.model}/{wildcards.suite} --threads {threads} {params.files} > {log} 2>&1"


rule bits:
    input:
        model="models/{model}",
        suites=given("bits", "suites"),
        tokens=given("bits", "tokens"),
        index=given("bits", "index"),
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
        gpu=one_gpu,
    params:
        files=files,
    shell:
        "snow bits {wildcards.model} --threads {threads} --gpus {resources.gpu} {params.files} > {log} 2>&1"


rule mutate:
    input:
        suite="suites/{suite}.jsonl",
    output:
        mutants="mutants/{suite}.jsonl",
        receipt="receipts/mutate/{suite}.json",
    log:
        "logs/mutate/{suite}.log",
    benchmark:
        "logs/mutate/{suite}.tsv"
    conda:
        environment("mutate")
    threads: 2
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        files=files,
    shell:
        "snow mutate {wildcards.suite} --threads {threads} {params.files} > {log} 2>&1"


rule preference:
    input:
        model="models/{model}",
        suite="suites/{suite}.jsonl",
        mutants="mutants/{suite}.jsonl",
    output:
        preference="eval/{model}/{suite}/preference.jsonl",
        receipt="receipts/preference/{model}/{suite}.json",
    log:
        "logs/preference/{model}/{suite}.log",
    benchmark:
        "logs/preference/{model}/{suite}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: TORCH_THREADS
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
        gpu=one_gpu,
    params:
        files=files,
    shell:
        "snow preference {wildcards.model}/{wildcards.suite} --threads {threads} --gpus {resources.gpu} {params.files} > {log} 2>&1"

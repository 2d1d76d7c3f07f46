# Suites and verdicts.


rule suite:
    input:
        spec=".snow/spec/suite-{suite}.json",
    output:
        suite="suites/{suite}.txt",
        receipt="receipts/suite/{suite}.json",
    log:
        "logs/suite/{suite}.log",
    benchmark:
        "logs/suite/{suite}.tsv"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        files=files,
    shell:
        "snow suite {wildcards.suite} {params.files} > {log} 2>&1"


rule judge:
    input:
        model="models/{model}",
        suite="suites/{suite}.txt",
    output:
        verdicts="eval/{model}/{suite}/verdicts.txt",
        receipt="receipts/judge/{model}/{suite}.json",
    log:
        "logs/judge/{model}/{suite}.log",
    benchmark:
        "logs/judge/{model}/{suite}.tsv"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        files=files,
    shell:
        "snow judge {wildcards.model}/{wildcards.suite} {params.files} > {log} 2>&1"

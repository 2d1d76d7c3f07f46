# One page from all receipts.


rule report:
    input:
        receipts=all_receipts,
        models=expand("models/{model}", model=PARAMS.models),
        scores=given("report", "scores"),
        matches=given("report", "matches"),
        bits=given("report", "bits"),
        verdicts=given("report", "verdicts"),
    output:
        report=directory("report"),
        receipt="receipts/report/all.json",
    log:
        "logs/report/all.log",
    benchmark:
        "logs/report/all.tsv"
    conda:
        "../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        read=read_by_report,
    shell:
        "snow report {params.read} --output report {output.report} --output receipt {output.receipt} > {log} 2>&1"

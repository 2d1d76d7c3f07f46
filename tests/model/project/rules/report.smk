# One page from all receipts.


rule report:
    input:
        spec=".snow/spec/report.json",
        receipts=all_receipts,
        models=expand("models/{model}", model=MODELS),
        verdicts=expand("eval/{model}/{suite}/verdicts.txt", model=MODELS, suite=SUITES),
    output:
        report=directory("report"),
        receipt="receipts/report/all.json",
    log:
        "logs/report/all.log",
    benchmark:
        "logs/report/all.tsv"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        receipts=GRAPH.by_name["report all"].inputs["receipts"],
        logs=expand("models/{model}/log.txt", model=MODELS),
    shell:
        "snow report --input receipts {params.receipts} --input logs {params.logs} --input verdicts {input.verdicts} --output report {output.report} --output receipt {output.receipt} > {log} 2>&1"

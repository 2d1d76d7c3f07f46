# One page from all receipts.


rule report:
    input:
        receipts=all_receipts,
        models=expand("models/{model}", model=PARAMS.models),
        verdicts=given("report", "verdicts"),
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
        logs=GRAPH.by_name["report all"].inputs["logs"],
    shell:
        "snow report --input receipts {params.receipts} --input logs {params.logs} --input verdicts {input.verdicts} --output report {output.report} --output receipt {output.receipt} > {log} 2>&1"

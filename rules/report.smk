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
        receipts=GRAPH.by_name["report all"].inputs["receipts"],  # thousands of files do not fit into a command line
        logs=GRAPH.by_name["report all"].inputs["logs"],
    shell:
        "snow report --input receipts {params.receipts} --input logs {params.logs} --input scores {input.scores} --input matches {input.matches} --input bits {input.bits} --input verdicts {input.verdicts} --output report {output.report} --output receipt {output.receipt} > {log} 2>&1"

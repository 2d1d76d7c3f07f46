# One target per artifact, under the name its DVC stage has: `snakemake corpus-clean` builds just that and what it needs.
for artifact in ARTIFACTS:
    if artifact in (
        "report",
        "tokenizer",
    ):  # the rules that make them have these names already
        continue

    rule:
        name:
            artifact
        input:
            files_of(artifact),

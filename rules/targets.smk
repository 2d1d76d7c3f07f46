# One target per artifact, under the name its DVC stage has: `snakemake corpus-filtered` builds just that and what it needs.
for artifact in ARTIFACTS:
    if artifact == "report":  # the rule that makes it has this name already
        continue

    rule:
        name:
            artifact
        input:
            files_of(artifact),

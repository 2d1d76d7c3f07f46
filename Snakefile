# The Arctic-SnowCoder recipe: documents -> filters -> deduplication -> decontamination -> phase 1 -> annotator -> phase 2 ->
# synthetic code -> phase 3, evaluated after each phase. `snakemake all` is the pocket run; `-n` shows what would be done.
from snakemake.utils import min_version

min_version("9.27")


configfile: "params.yaml"


include: "rules/common.smk"
include: "rules/corpus.smk"
include: "rules/pretrain.smk"
include: "rules/quality.smk"
include: "rules/synthesis.smk"
include: "rules/evaluate.smk"
include: "rules/report.smk"
include: "rules/targets.smk"


rule all:
    default_target: True
    input:
        every_file,


onstart:
    if workflow.is_main_process:
        snow_workflow.begin(workflow, PARAMS)


onsuccess:
    snow_workflow.end(config)


onerror:
    failures.say_last(workflow)

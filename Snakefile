# The Arctic-SnowCoder recipe: documents -> filters -> deduplication -> decontamination -> phase 1 -> annotator -> phase 2 ->
# synthetic code -> phase 3, evaluated after each phase. `snakemake all` is the pocket run; `-n` shows what would be done.
from snakemake.utils import min_version

from snow.caching import preflight
from snow.refusal import refusals

min_version("9.27")

# Snakemake would say only that some configuration file is not valid, and DVC would refuse a key given twice after the last job.
with refusals():
    preflight.check_params()


configfile: "params.yaml"


# A rule's command takes the place of its shell, which a signal to all processes would end before the command has.
shell.prefix("exec ")


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
        with refusals():
            snow_workflow.begin(workflow, PARAMS)


onsuccess:
    with refusals():
        snow_workflow.end(config, PARAMS)


onerror:
    snow_workflow.stop_telling()
    failures.say_last(workflow)

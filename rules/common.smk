# For every file of rules; what is checked, the graph of it, and functions that look things up there.
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

# The code that is keyed and runs is this folder's, whichever clone the environment was installed from.
sys.path.insert(0, str(workflow.basedir))
import snow

if not Path(snow.__path__[0]).samefile(Path(workflow.basedir, "snow")):
    raise WorkflowError(
        f"the Snakefile is that of {workflow.basedir}, but {snow.__path__[0]} was already imported; start snakemake without it"
    )

from snow import failures, listing, snakemake_run, stages
from snow import workflow as snow_workflow
from snow.refusal import refusals
from snow.reserved import NAME


# Files that depend on what params.yaml declares are asked of the graph, by functions that Snakemake calls only for the jobs it
# considers.
def given(stage, name):
    """One named input of a job, as an input function."""
    return lambda wildcards: GRAPH.job(stage, wildcards).inputs.get(name, ())


def all_given(stage):
    """Every input of a job under its name, to be unpacked."""
    return lambda wildcards: GRAPH.job(stage, wildcards).inputs


def environment(stage):
    """The file of the environment that a job of the stage needs, as a function of its wildcards."""
    env_of = stages.environment_of
    return lambda wildcards: f"../envs/{env_of(GRAPH.job(stage, wildcards))}.yaml"


def files(wildcards, input, output):
    """The words of a command that name its files, from the names they have here."""
    named = {name: paths for name, paths in input.items() if name != "spec"}
    return read(named) + [f"--output {name} {path}" for name, path in output.items()]


def read(named):
    """The words of a command that name its inputs; a file lists them where they are many."""
    given = {
        name: [paths] if isinstance(paths, str) else list(paths)
        for name, paths in named.items()
    }
    return [
        " ".join(["--input", name, *listing.words(paths)])
        for name, paths in given.items()
        if paths
    ]


def read_by_report(wildcards):
    """The words for the report's inputs: folders of receipts, and of models their logs alone."""
    return read(GRAPH.by_name["report all"].inputs)


def files_of(artifact):
    """All files of an artifact, as an input function."""
    return lambda wildcards: ARTIFACTS[artifact]


def all_receipts(wildcards):
    """The receipts of every job before the report."""
    return [job.receipt for job in GRAPH.jobs if job.stage != "report"]


def every_file(wildcards):
    """Every file of every artifact: one that is gone is made again, also where nothing that reads it has anything to do."""
    return [file for job in GRAPH.jobs for file in job.files]


def one_of(names):
    """The pattern of a wildcard that stands for one of these names, or for nothing where there is none."""
    return "|".join(names) or "(?!)"


def pretrain_threads(wildcards, threads):
    """Threads of a training process: on a CPU the order of its sums, and so the weights, depends on their number, which must not
    follow from how many cores are free. A profile that asks for more is one for GPUs, where it does not count.
    """
    return max(threads, TORCH_THREADS)


with refusals():
    PARAMS = snow_workflow.prepare(config)

GRAPH = stages.graph(PARAMS)
ARTIFACTS = GRAPH.artifacts
TORCH_THREADS = 2


growing = snow_workflow.growing
one_gpu = snow_workflow.gpus(workflow)
generator_gpus = snow_workflow.gpus(
    workflow,
    lambda wildcards: PARAMS.generators[
        PARAMS.synthetic[wildcards.synthetic].generator
    ].gpus,
)
if workflow.is_main_process:
    with refusals():
        snakemake_run.announce_less(workflow)
        snow_workflow.prepare_submission(workflow)
        snow_workflow.count_gpus(workflow)
        snow_workflow.synchronise(PARAMS)
        snow_workflow.commit_when_idle(workflow)
        snow_workflow.say_missing(workflow, PARAMS)


wildcard_constraints:
    shard=r"\d{5}",
    tokenizer=NAME,
    annotator=NAME,
    selection=NAME,
    synthetic=NAME,
    set=NAME,
    model=NAME,
    suite=r"[A-Za-z0-9_+-]+",

# Shared by all rule files. The checked params, the names the artifacts are built over, and functions that choose inputs.
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

from snow import failures, jobs
from snow import workflow as snow_workflow
from snow.errors import SnowError


# Thousands of files are listed by functions, which Snakemake asks only for the jobs it considers.
def shards_of(pattern):
    """The files of a sharded artifact, as an input function."""
    return lambda wildcards: expand(pattern, shard=SHARDS)


def files_of(artifact):
    """All files of an artifact, as an input function."""
    return lambda wildcards: ARTIFACTS[artifact]


def previous_model(wildcards):
    """The checkpoint whose weights a phase begins from, or nothing when it starts from scratch."""
    begin = getattr(PARAMS.train, wildcards.model).begin_from
    return [] if begin == "scratch" else f"models/{begin}"


def all_receipts(wildcards):
    """The receipts of every job before the report."""
    return [job.receipt for job in GRAPH.jobs if job.stage != "report"]


def every_file(wildcards):
    """Every file of every artifact: one that is gone is made again, also where nothing that reads it has anything to do."""
    return [file for job in GRAPH.jobs for file in job.files]


try:
    PARAMS = snow_workflow.prepare(config)
except SnowError as error:
    raise WorkflowError(str(error)) from None

GRAPH = jobs.graph(PARAMS)
ARTIFACTS = GRAPH.artifacts
SHARDS = jobs.shards(PARAMS)
SUITES = jobs.suites(PARAMS)
MODELS = jobs.MODELS


growing = snow_workflow.growing
if workflow.is_main_process:
    try:
        snow_workflow.prepare_submission(workflow)
        snow_workflow.synchronise(PARAMS)
        snow_workflow.commit_when_idle(workflow)
    except SnowError as error:
        raise WorkflowError(str(error)) from None


wildcard_constraints:
    shard=r"\d{5}",
    model="|".join(MODELS),
    suite=r"[A-Za-z0-9_+-]+",

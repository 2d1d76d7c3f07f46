"""The one module that looks at Snakemake's own objects; `tests/test_snakemake_run.py` fails when a new version changes them.

Snakemake documents no way to ask, from inside a Snakefile, what a run is going to do, what failed, and where its cores come
from. Nothing of Snakemake's is replaced; the one value that is set is named below.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from snow.errors import SnowError


def jobs_to_run(workflow: Any) -> Counter[str]:
    """How many jobs of each rule the run will start; in `onstart` and later."""
    return Counter(job.rule.name for job in workflow.dag.needrun_jobs())


def failed_jobs(workflow: Any) -> Collection[Any]:
    """The jobs that failed for good; in `onerror`."""
    return workflow.scheduler.failed


def executes(workflow: Any) -> bool:
    """Whether the run was to execute jobs, here or on a cluster: no dry run, no listing; at the end of a run."""
    return workflow.executor_plugin is not None and not workflow.dryrun


def default_resource(workflow: Any, name: str) -> str | None:
    """A resource that the profile or the command line gives to every rule, as text; None without one."""
    defaults = workflow.resource_settings.default_resources
    return defaults[name].raw if defaults and name in defaults else None


def forget_cores(workflow: Any) -> None:
    """Take back the cores that profiles/default gives this machine, for a run that submits its jobs: they would believe that their
    node has no more."""
    workflow.resource_settings.cores = workflow.global_resources["_cores"] = None


def config(entries: Sequence[str]) -> dict[str, Any]:
    """The values of `--config KEY=VALUE...`, as Snakemake reads them; SnowError for an entry that is none."""
    from snakemake.cli import parse_config

    try:
        return parse_config(list(entries))
    except ValueError as error:
        raise SnowError(f"--config: {error}") from None


def run_first(workflow: Any, target: str, variables: Mapping[str, str]) -> None:
    """This command with another target, in a Snakemake of its own; SystemExit with its status when it fails."""
    words = list(sys.orig_argv[1:])
    for wanted in workflow.dag_settings.targets:
        if wanted in words:  # the last such word: `--until NAME NAME`
            del words[len(words) - 1 - words[::-1].index(wanted)]
    words += ["--"] if "--" not in words else []  # the word before may be an option that takes several
    done = subprocess.run([sys.executable, *words, target], env=os.environ | variables, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)


def start_over(variables: Mapping[str, str]) -> None:
    """Replace this process by the same command, which looks at everything anew."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], os.environ | variables)

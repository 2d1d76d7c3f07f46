"""The one module that looks at Snakemake's own objects; `tests/test_snakemake_run.py` fails when a new version changes them.

Snakemake documents no way to ask, from inside a Snakefile, what a run is going to do, what failed, where its cores come from, and what
it tells its user. Nothing of Snakemake's is replaced; the values that are set, and the filter that is added, are named below.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snow.errors import SnowError


@dataclass(frozen=True)
class Planned:
    """A job of a run: its rule, the values of its wildcards, its threads, and the numbers of the jobs of this run that it waits for."""

    rule: str
    parts: tuple[str, ...]
    threads: int
    needs: tuple[int, ...]


def planned(workflow: Any) -> dict[int, Planned]:
    """The jobs the run will start, by the numbers that its log and its messages give them; in `onstart`."""
    dag = workflow.dag
    running = {job: job.jobid for job in dag.needrun_jobs()}
    return {
        number: Planned(
            job.rule.name, tuple(job.wildcards), job.threads, tuple(running[other] for other in dag.dependencies[job] if other in running)
        )
        for job, number in running.items()
    }


def jobs_to_run(workflow: Any) -> Counter[str]:
    """How many jobs of each rule the run will start; in `onstart` and later."""
    return Counter(job.rule.name for job in workflow.dag.needrun_jobs())


def asked_for(workflow: Any) -> list[Any]:
    """The jobs that the run starts, or at its end has started; of a dry run those it shows."""
    return list(workflow.dag.needrun_jobs(exclude_finished=False))


def failed_jobs(workflow: Any) -> Collection[Any]:
    """The jobs that failed for good; in `onerror`."""
    return workflow.scheduler.failed


def executes(workflow: Any) -> bool:
    """Whether the run was to execute jobs, here or on a cluster: no dry run, no listing; at the end of a run."""
    return workflow.executor_plugin is not None and not workflow.dryrun


def is_dry(workflow: Any) -> bool:
    """Whether the run only shows what it would do; at its end."""
    return workflow.executor_plugin is not None and workflow.dryrun


def default_resource(workflow: Any, name: str) -> str | None:
    """A resource that the profile or the command line gives to every rule, as text; None without one."""
    defaults = workflow.resource_settings.default_resources
    return defaults[name].raw if defaults and name in defaults else None


def limit(workflow: Any, name: str, amount: int) -> None:
    """All jobs together get so many of a resource at a time, or fewer where the command line says so."""
    given = most(workflow, name)
    workflow.register_resource(name, amount if given is None else min(amount, given))


def most(workflow: Any, name: str) -> int | None:
    """So many of a resource all jobs together get at a time; None: no limit."""
    return workflow.global_resources.get(name).value


def beyond(workflow: Any, name: str) -> dict[str, int]:
    """Rules of jobs that the run would start which ask for more of a resource than the run has: how much they ask for, before Snakemake
    cuts it to what there is."""
    limit = most(workflow, name)
    asked: dict[str, int] = {}
    for job in asked_for(workflow):
        if limit is not None and name in job.rule.resources:
            given = {"input": job.input, "attempt": 1, "threads": job.threads, "rulename": job.rule.name, "async_run": workflow.async_run}
            amount = job.rule.resources[name].evaluate(job.wildcards, **given).value
            asked |= {job.rule.name: max(amount, asked.get(job.rule.name, 0))} if amount > limit else {}
    return asked


def forget_cores(workflow: Any) -> None:
    """Take back the cores that profiles/default gives this machine, for a run that submits its jobs: they would believe that their
    node has no more."""
    workflow.resource_settings.cores = workflow.global_resources["_cores"] = None


def start_at_once(workflow: Any) -> None:
    """On this machine take back Snakemake's own limit of jobs a second, which is meant for clusters and whose clocks keep every run a
    second longer; another that somebody gave stays; in `onstart`."""
    limiter = workflow.scheduler.job_rate_limiter
    if workflow.local_exec and limiter is not None and (limiter.max_jobs, limiter.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None


def cores(workflow: Any) -> int | None:
    """How many cores the run has on this machine; None where it submits its jobs."""
    return workflow.resource_settings.cores


def speaks(workflow: Any) -> bool:
    """Whether a run that is not a dry one tells its user what it tells everybody: neither more nor less was asked for, nor another
    logger."""
    asked = workflow.output_settings
    return not (asked.dryrun or asked.verbose or asked.printshellcmds or asked.debug_dag or asked.quiet) and _stream() is not None


def announce_less(workflow: Any) -> None:
    """At parse time: of a run that has something to do, Snakemake's announcement goes to its log file alone, and of a dry run that it
    has no metadata of jobs, which profiles/default has it drop. `--verbose` shows everything."""
    if not workflow.output_settings.verbose:
        unwanted = _announces if speaks(workflow) else _misses_metadata
        show_only(lambda record: record.levelno > logging.INFO or not unwanted(record))


def _announces(record: logging.LogRecord) -> bool:
    return getattr(record, "event", None) is not None or str(record.msg).startswith(ANNOUNCING)


def _misses_metadata(record: logging.LogRecord) -> bool:
    return MISSING in str(record.msg)


def show_only(shown: Callable[[logging.LogRecord], bool]) -> None:
    """Of what Snakemake tells its user only what is `shown` from here on. Its log file keeps everything."""
    stream = _stream()
    if stream is not None:
        stream.addFilter(shown)


def hear(handler: logging.Handler) -> None:
    """Give a handler everything that Snakemake says from here on."""
    logging.getLogger(LOGGER).addHandler(handler)


def _stream() -> logging.Handler | None:
    """What writes to the terminal; none where `--logger` names a plugin that does."""
    return next((handler for handler in logging.getLogger(LOGGER).handlers if handler.name == "DefaultStreamHandler"), None)


def log_file(workflow: Any) -> str | None:
    """Snakemake's own log of this run."""
    return next(iter(workflow.logger_manager.get_logfile()), None)


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


LOGGER = "snakemake.logging"  # the name of its only logger
MISSING = "jobs have missing provenance/metadata"
ANNOUNCING = ("Building DAG of jobs", "Using shell", "Conda environments: ignored", "Group jobs: inactive")

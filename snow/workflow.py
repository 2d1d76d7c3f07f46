"""What the Snakefile needs of snow at parse time: checked params, specs and file times brought up to date, resources."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from snow import digest, job, snakemake_run
from snow import params as settings
from snow.caching import commit, cutoff, hashes, preflight, reconcile
from snow.cluster import site


def prepare(values: Mapping[str, Any]) -> settings.Params:
    """Check the merged configuration and make it the params of every job of this run, local or on a cluster.

    Rules call `snow` by name and leave its params to SNOW_PARAMS, so their shell lines are the same for every scale. A
    Snakemake that was started without activating its environment finds `snow` all the same. Raises SnowError.
    """
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    checked = settings.check(values, "params.yaml")
    os.environ["SNOW_PARAMS"] = _params_file(values)
    return checked


def _params_file(values: Mapping[str, Any]) -> str:
    """params.yaml, or a copy of what `--configfile` and `--config` made of it, named by content."""
    with open("params.yaml") as file:
        if yaml.safe_load(file) == values:
            return "params.yaml"
    text = yaml.safe_dump(dict(values), sort_keys=True)
    path = Path(".snow/params") / f"{digest.sha256(text)[:16]}.yaml"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        staged = path.with_suffix(f".{os.getpid()}")
        staged.write_text(text)
        os.replace(staged, path)
    return str(path)


def synchronise(params: settings.Params) -> None:
    """In the main process, before the graph is built: specs written, file times made to agree with contents, leftovers removed.

    Beside a run that has the directory's lock nothing is changed: a dry run may look on, a second run ends in `begin`.
    """
    preflight.check()
    lock = reconcile.hold_lock()
    if lock is None:
        return
    with lock, hashes.packed():
        reconcile.write_specs(params)
        reconcile.project_times(params)
        job.sweep_staging()


def begin(workflow: Any, params: settings.Params) -> None:
    """Before the first job: the directory's lock for the rest of this process, what is here recorded in the cache, and shards the
    recipe no longer has removed. May start the command over, see `snow.caching.cutoff`.

    Raises SnowError when another run has the lock.
    """
    cutoff.make_first(workflow, params)
    _held.append(reconcile.require_lock())
    reconcile.record_present()
    reconcile.remove_strays(params)


def commit_when_idle(workflow: Any) -> None:
    """At the end of a real run that had nothing to do: Snakemake calls no `onsuccess` then, but a comment in a module that
    dvc.lock lists has still changed that file. A dry run, and a run that DVC started, write nothing."""
    if "DVC_STAGE" not in os.environ and commit.due():
        atexit.register(_commit_if_idle, workflow)


def _commit_if_idle(workflow: Any) -> None:
    if not _held and snakemake_run.executes(workflow):
        subprocess.run(["snow", "commit"], check=False)


_held: list[Any] = []  # the lock lives as long as this process


def growing(amount: int) -> Callable[[Any, int], int]:
    """Memory or time that doubles with the second and third attempt, for jobs the cluster ended for asking too little."""

    def requested(wildcards: Any, attempt: int) -> int:
        return amount * 2 ** min(attempt - 1, 2)

    return requested


def prepare_submission(workflow: Any) -> None:
    """In the main process of a run under the profile `slurm`: the site file checked before the first submission. Raises SnowError."""
    path = snakemake_run.default_resource(workflow, "site")  # the profile's way to say where the site file is
    if path is not None:
        site.load(Path(path))
        snakemake_run.forget_cores(workflow)

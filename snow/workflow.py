"""What the Snakefile needs of snow at parse time: checked params, specs and file times brought up to date, resources."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from snow import digest, job
from snow import params as settings
from snow.caching import reconcile


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


def synchronise(params: settings.Params, dry_run: bool) -> None:
    """In the main process, before the graph is built: specs written, file times made to agree with contents, leftovers removed.

    A real run holds the directory's lock from here to its end. A dry run beside a real one changes nothing.
    """
    held = reconcile.hold_lock() if dry_run else reconcile.require_lock()
    if held is None:
        return
    _held.append(held)
    reconcile.write_specs(params)
    reconcile.project_times(params)
    job.sweep_staging()


_held: list[Any] = []  # the lock lives as long as this process


def growing(megabytes: int) -> Callable[[Any, int], int]:
    """Memory that doubles with every attempt, for jobs the cluster killed for asking too little."""

    def mem_mb(wildcards: Any, attempt: int) -> int:
        return megabytes * 2 ** (attempt - 1)

    return mem_mb

"""What the Snakefile needs of snow at parse time: checked params, what each rule's result depends on, resources. Light imports only."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from snow import code, digest, stages
from snow import params as settings


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


def reads(params: settings.Params, name: str) -> Callable[[Sequence[str]], dict[str, Any]]:
    """A rule's `params`: the values and the code digest that decide its result besides its inputs, so that Snakemake sees both change."""
    stage = stages.stage(name)

    def values(wildcards: Sequence[str]) -> dict[str, Any]:
        instance = wildcards[0] if len(wildcards) else "all"
        return {"params": settings.subset(params, stage.reads(instance)), "code": code.digest(stage.module)}

    return values


def growing(megabytes: int) -> Callable[[Any, int], int]:
    """Memory that doubles with every attempt, for jobs the cluster killed for asking too little."""

    def mem_mb(wildcards: Any, attempt: int) -> int:
        return megabytes * 2 ** (attempt - 1)

    return mem_mb

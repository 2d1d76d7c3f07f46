"""dvc.yaml, written from params.yaml: one DVC stage per artifact, each of them a target of the Snakefile under the same name.

What a stage depends on is what its jobs read, the params keys of theirs as params.yaml has them (an entry that is like another depends
on that one's too), and the code and locks of environments that decide their results. Receipts persist: DVC leaves them in place
when it runs a stage again and keeps no records of stages of its own. It knows neither sources outside the repository nor installed
packages, so what a stage restores is looked up job by job, by keys that do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from snow import digest, overlay, source_code, stages
from snow import params as settings
from snow.caching import preflight
from snow.graph import Graph, Job

CODE = ("snow/", "envs/")  # what is no artifact among the dependencies
HEAD = """\
# Written by `snow check --fix` from params.yaml, the rules' jobs and the code that they run: one stage per artifact, each a target of
# the Snakefile, so both front doors run the same jobs. `snow commit` brings it up to date after a run whose params are params.yaml's.
# Pipelines of your own belong into a dvc.yaml of their own, in a folder below.
"""


def text() -> str:
    """What dvc.yaml must say."""
    return HEAD + yaml.safe_dump({"stages": _stages(code_of)}, sort_keys=False, default_flow_style=None, width=140)


def agrees(wanted: str) -> bool:
    """Whether dvc.yaml says that."""
    return _told() == yaml.safe_load(wanted)["stages"]


def has_every_artifact() -> bool:
    """Whether dvc.yaml has the stages that params.yaml declares; its lists of code are not looked at."""
    told = {name: {**stage, "deps": [dep for dep in stage.get("deps", ()) if not dep.startswith(CODE)]} for name, stage in _told().items()}
    return told == _stages(lambda _: [])


def _told() -> Mapping[str, Any]:
    return preflight.read_pipeline()["stages"] if preflight.PIPELINE.exists() else {}


def write(wanted: str) -> None:
    """Put it in place, whole."""
    digest.replace(preflight.PIPELINE, wanted)


def code_of(jobs: Iterable[Job]) -> list[str]:
    """Source files, and the locks of environments, that some jobs' results depend on; sorted."""
    given = list(jobs)
    files = {f"envs/{job.env}.txt" for job in given if job.env}
    for name in {job.stage for job in given}:
        stage = stages.STAGES[name]
        modules = {*source_code.closure(stage.module), *(source_code.closure(stage.fingerprint) if stage.fingerprint else ())}
        modules = {module for module in modules if source_code.symbols(module)}  # an empty package file says nothing
        paths = (source_code.module_path(module) for module in modules)
        files |= {path.relative_to(source_code.PACKAGE.parent).as_posix() for path in paths if path is not None}
        if stage.fingerprint or (stage.packages and any(job.stage == name and job.env is None for job in given)):
            files.add(f"envs/{stage.env}.txt")
    return sorted(files)


def _stages(code: Callable[[Iterable[Job]], list[str]]) -> dict[str, Any]:
    """Every DVC stage; `code` gives the files of code that some of our jobs depend on."""
    values = settings.read(preflight.PARAMS)
    graph = stages.graph(settings.check(values, str(preflight.PARAMS)))
    mine: dict[str, list[Job]] = {}
    for job in graph.jobs:
        mine.setdefault(job.artifact, []).append(job)
    outs = {name: _outs(graph, jobs) for name, jobs in mine.items()}
    places = {out: name for name, made in outs.items() for out in made}
    told = {}
    for name, jobs in mine.items():
        read = dict.fromkeys(_place(path, places) for job in jobs for paths in job.inputs.values() for path in paths)
        keys = overlay.watched(values, (_asked(job, key) for job in jobs for key in job.params.values()))
        stage: dict[str, Any] = {"cmd": f"snakemake {name}"}
        stage["deps"] = [*(path for path in read if places.get(path) != name), *code(jobs)]
        if keys:
            stage["params"] = keys
        stage["outs"] = [{out: {"persist": True}} if out.startswith("receipts/") else out for out in outs[name]]
        told[name] = stage
    return told


def _asked(job: Job, key: str) -> str:
    """A params key as DVC should watch it: of an artifact that all entries of a section make together, the section."""
    return key if _named(job) else key.removesuffix(f".{job.instance}")


def _named(job: Job) -> bool:
    """Whether the job's artifact is that of its instance alone."""
    return f"-{job.instance}" in job.artifact


def _outs(graph: Graph, jobs: Iterable[Job]) -> list[str]:
    """Folders and files, as large as they can be: a file's folder where nothing else makes files in it."""
    outs: dict[str, None] = {}
    for job in jobs:
        for path in job.outputs.values():
            folder = path.rpartition("/")[0]
            alone = Path(path).suffix and all(job.artifact == graph.maker(file).artifact for file in graph.sources_of(folder))
            outs[folder if alone else path] = None
        outs[job.receipt if _named(job) else job.receipt.rpartition("/")[0]] = None
    return [out for out in outs if not any(out.startswith(f"{other}/") for other in outs)]


def _place(path: str, places: Mapping[str, str]) -> str:
    """The out that is or holds a path; a folder of several outs is itself."""
    return next((place for place in (path, *map(str, Path(path).parents)) if place in places), path)

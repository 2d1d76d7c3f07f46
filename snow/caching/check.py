"""`snow check`: the Snakemake rules, dvc.yaml and `snow.jobs` name the same jobs, artifacts, inputs, params and code.

The rules are asked through Snakemake itself (a forced dry run prints every job's command), DVC through its own reading of
dvc.yaml. `--fix` rewrites the code lists of dvc.yaml, the only part nobody wants to keep by hand.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snow import cli, source_code, stages
from snow.caching import dvc_repo
from snow.errors import SnowError
from snow.graph import Graph, Job
from snow.params import Params
from snow.stages import STAGES

PIPELINE = Path("dvc.yaml")

Asked = tuple[dict[str, tuple[str, ...]], dict[str, str]]  # inputs by name, outputs by name


@dataclass(frozen=True)
class Artifact:
    """What the graph says of one artifact: its files, what it reads from others, its params keys and its code."""

    files: frozenset[str]
    inputs: frozenset[str]
    params: frozenset[str]
    code: tuple[str, ...]


def code_of(stages: Iterable[str]) -> tuple[str, ...]:
    """Source files, and the locks of environments, that some stages' results depend on; sorted."""
    found: set[str] = set()
    for name in stages:
        stage = STAGES[name]
        modules = {*source_code.closure(stage.module), *(source_code.closure(stage.fingerprint) if stage.fingerprint else ())}
        modules = {module for module in modules if source_code.symbols(module)}  # an empty package file says nothing
        paths = (source_code.module_path(module) for module in modules)
        found |= {path.relative_to(source_code.PACKAGE.parent).as_posix() for path in paths if path is not None}
        if stage.packages or stage.fingerprint:
            found.add(f"envs/{stage.env}.txt")
    return tuple(sorted(found))


def artifacts(graph: Graph) -> dict[str, Artifact]:
    """Every artifact by its name."""
    found = {}
    for name, files in graph.artifacts.items():
        mine = [job for job in graph.jobs if job.artifact == name]
        reads = {path for job in mine for paths in job.inputs.values() for path in paths} - set(files)
        keys = {key for job in mine for key in _params_of(job)}
        found[name] = Artifact(frozenset(files), frozenset(reads), frozenset(keys), code_of({job.stage for job in mine}))
    return found


def _params_of(job: Job) -> Iterable[str]:
    """The params keys dvc.yaml lists for a job. A suite's are those of all suites: dvc.yaml then needs no edit for one more."""
    if job.stage == "suite":
        return [key.removesuffix(".{instance}") for key in STAGES[job.stage].params]
    return STAGES[job.stage].reads(job.instance)


def commands(graph: Graph) -> dict[str, Asked]:
    """What the rules ask `snow` for, by `stage instance`: every `snow` command line of `snakemake --forceall --dry-run all`."""
    command = [str(Path(sys.executable).with_name("snakemake")), "--dry-run", "--printshellcmds", "--forceall", "--", "all"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SnowError(f"the rules do not build a graph: {done.stderr.strip().splitlines()[-1]}")
    found = {}
    for line in re.findall(rf"(?m)^Shell command: (snow (?:{'|'.join(graph.instances)}) .+)$", done.stdout + done.stderr):
        words = shlex.split(line.partition(" > ")[0])[1:]
        options = cli.parser().parse_args(words)
        inputs = {name: tuple(map(str, paths)) for name, paths in cli.inputs_of(options).items()}
        found[f"{options.command} {options.instance}"] = (inputs, dict(options.output))
    return found


def _rules_against(graph: Graph) -> Iterable[str]:
    """Where a rule's command line is not the job the graph has."""
    asked = commands(graph)
    for job in graph.jobs:
        outputs = {**job.outputs, "receipt": job.receipt}
        inputs, made = asked.get(job.name, ({}, {}))
        if not made:
            yield f"rules/: no rule makes {job.name}, which snow/jobs.py lists"
        elif made != outputs:
            yield f"rules/: {job.name} writes {made}; snow/jobs.py says {outputs}"
        for name in sorted({*inputs, *job.inputs}):
            if inputs.get(name, ()) != job.inputs.get(name, ()):
                yield f"rules/: {job.name} reads --input {name} {inputs.get(name, ())}; snow/jobs.py says {job.inputs.get(name, ())}"
    yield from (f"rules/: {name} is no job of snow/jobs.py" for name in asked if name not in graph.by_name)


def findings(params: Params) -> list[str]:
    """One sentence per disagreement; empty when the rules, dvc.yaml and the graph say the same."""
    graph = jobs.graph(params)
    found, seen = list(_rules_against(graph)), set()
    known = artifacts(graph)
    for stage in dvc_repo.stages():
        name = stage.cmd.removeprefix("snakemake ")
        if name not in known or stage.cmd == name:
            found.append(f"dvc.yaml: stage {stage.name}: cmd is {stage.cmd!r}; it must be `snakemake` and one of the artifacts' targets")
            continue
        seen.add(name)
        found += [f"dvc.yaml: stage {stage.name}: {text}" for text in _compare(stage, known[name])]
    return found + [f"dvc.yaml: no stage makes {name}; add one with `cmd: snakemake {name}`" for name in known if name not in seen]


def _compare(stage: dvc_repo.DvcStage, wanted: Artifact) -> Iterable[str]:
    yield from (f"outs lack {file}" for file in sorted(wanted.files) if not _covered(file, stage.outs))
    yield from (f"out {out} is made by no job" for out in stage.outs if not any(_covers(out, file) for file in wanted.files))
    data = [dep for dep in stage.deps if not dep.startswith(("snow/", "envs/"))]
    yield from (f"deps lack {file}" for file in sorted(wanted.inputs) if not _covered(file, data))
    yield from (f"dep {dep} is read by no job" for dep in data if not any(_covers(dep, file) for file in wanted.inputs))
    listed = set(stage.params.get("params.yaml", ()))
    yield from (f"params lack {key}" for key in sorted(wanted.params - listed))
    yield from (f"param {key} is read by no job" for key in sorted(listed - wanted.params))
    if tuple(sorted(set(stage.deps) - set(data))) != wanted.code:
        yield "its code list is not what its modules import; run `snow check --fix`"


def _covers(folder: str, file: str) -> bool:
    return file == folder or file.startswith(f"{folder}/")


def _covered(file: str, folders: Iterable[str]) -> bool:
    return any(_covers(folder, file) for folder in folders)


def fix(params: Params) -> None:
    """Rewrite the code lists of dvc.yaml in place; everything else, comments included, stays as it is."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = 140
    yaml.preserve_quotes = True
    pipeline = yaml.load(PIPELINE.read_text())
    graph = jobs.graph(params)
    for definition in pipeline["stages"].values():
        name = re.sub(r"\$\{.*?\}", _first_item(definition), definition["cmd"].removeprefix("snakemake "))
        stages = {job.stage for job in graph.jobs if job.artifact == name}
        deps = definition["deps"]
        kept = [dep for dep in deps if not dep.startswith(("snow/", "envs/"))]
        deps[:] = [*kept, *code_of(stages)]
    staged = PIPELINE.with_suffix(".yaml.new")
    with staged.open("w") as stream:
        yaml.dump(pipeline, stream)
    staged.replace(PIPELINE)


def _first_item(definition: Any) -> str:
    """What a template of a matrix stands for first; templates of one stage resolve to jobs of the same code."""
    return str(next(iter(definition["matrix"].values()))[0]) if "matrix" in definition else ""


def run(params: Params, rewrite: bool) -> int:
    """Print the findings; 0 when there are none."""
    if not PIPELINE.exists():
        raise SnowError("there is no dvc.yaml here; run `snow check` in the repository's root")
    if rewrite:
        fix(params)
    found = findings(params)
    print("\n".join(found) if found else "dvc.yaml and the rules agree")
    return 1 if found else 0

"""`snow check`: dvc.yaml and the Snakemake rules name the same artifacts, inputs, params and code.

The rules are asked through Snakemake itself (a forced dry run lists every job with its files), DVC through its own reading of
dvc.yaml. `--fix` rewrites the code lists of dvc.yaml, the only part nobody wants to keep by hand.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snow import code, graph
from snow.caching import dvc_repo, spec
from snow.errors import SnowError
from snow.params import Params
from snow.stages import STAGES

PIPELINE = Path("dvc.yaml")


@dataclass(frozen=True)
class Artifact:
    """What the rules say of one artifact: its files, the files it reads from others, its params keys and its code."""

    files: frozenset[str]
    inputs: frozenset[str]
    params: frozenset[str]
    code: tuple[str, ...]


def code_of(stages: Iterable[str]) -> tuple[str, ...]:
    """Source files, and the locks of environments, that some stages' results depend on; sorted."""
    found: set[str] = set()
    for name in stages:
        stage = STAGES[name]
        modules = {*code.closure(stage.module), *(code.closure(stage.fingerprint) if stage.fingerprint else ())}
        modules = {module for module in modules if code.symbols(module)}  # an empty package file says nothing
        paths = (code.module_path(module) for module in modules)
        found |= {path.relative_to(code.PACKAGE.parent).as_posix() for path in paths if path is not None}
        if stage.packages or stage.fingerprint:
            found.add(f"envs/{stage.env}.txt")
    return tuple(sorted(found))


def artifacts(params: Params) -> dict[str, Artifact]:
    """Every artifact as the rules make it."""
    inputs_of = {file: job_inputs for job_inputs, outputs in _dry_run() for file in outputs}
    found = {}
    for name, files in graph.artifacts(params).items():
        mine = frozenset(files)
        receipts = [file.removeprefix("receipts/").removesuffix(".json") for file in files if file.startswith("receipts/")]
        jobs = [receipt.partition("/") for receipt in receipts]
        reads = {file for output in files for file in inputs_of[output]} - mine
        keys = {key for stage, _, instance in jobs for key in STAGES[stage].reads(instance)}
        data = frozenset(file for file in reads if not file.startswith(f"{spec.FOLDER}/"))
        found[name] = Artifact(mine, data, frozenset(keys), code_of({stage for stage, _, _ in jobs}))
    return found


def _dry_run() -> list[tuple[list[str], list[str]]]:
    """(inputs, outputs) of every job of `all`, as `snakemake --forceall --dry-run` prints them."""
    command = [str(Path(sys.executable).with_name("snakemake")), "--dry-run", "--forceall", "all"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SnowError(f"the rules do not build a graph: {done.stderr.strip().splitlines()[-1]}")
    jobs = []
    for block in re.split(r"\n(?=(?:local)?rule )", done.stdout + done.stderr):
        outputs = _files("output", block)
        if outputs:
            jobs.append((_files("input", block), outputs))
    return jobs


def _files(kind: str, block: str) -> list[str]:
    found = re.search(rf"(?m)^    {kind}: (.+)$", block)
    return found.group(1).split(", ") if found else []


def findings(params: Params) -> list[str]:
    """One sentence per disagreement; empty when both graphs say the same."""
    rules = artifacts(params)
    found, seen = [], set()
    for stage in dvc_repo.stages():
        name = stage.cmd.removeprefix("snakemake ")
        if name not in rules or stage.cmd == name:
            found.append(f"dvc.yaml: stage {stage.name}: cmd is {stage.cmd!r}; it must be `snakemake` and one of the artifacts' targets")
            continue
        seen.add(name)
        found += [f"dvc.yaml: stage {stage.name}: {text}" for text in _compare(stage, rules[name])]
    return found + [f"dvc.yaml: no stage makes {name}; add one with `cmd: snakemake {name}`" for name in rules if name not in seen]


def _compare(stage: dvc_repo.DvcStage, rule: Artifact) -> Iterable[str]:
    yield from (f"outs lack {file}" for file in sorted(rule.files) if not _covered(file, stage.outs))
    yield from (f"out {out} is made by no job" for out in stage.outs if not any(_covers(out, file) for file in rule.files))
    data = [dep for dep in stage.deps if not dep.startswith(("snow/", "envs/"))]
    yield from (f"deps lack {file}" for file in sorted(rule.inputs) if not _covered(file, data))
    yield from (f"dep {dep} is read by no job" for dep in data if not any(_covers(dep, file) for file in rule.inputs))
    listed = set(stage.params.get("params.yaml", ()))
    yield from (f"params lack {key}" for key in sorted(rule.params - listed))
    yield from (f"param {key} is read by no job" for key in sorted(listed - rule.params))
    if tuple(sorted(set(stage.deps) - set(data))) != rule.code:
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
    targets = graph.artifacts(params)
    for definition in pipeline["stages"].values():
        name = re.sub(r"\$\{.*?\}", _first_item(definition), definition["cmd"].removeprefix("snakemake "))
        stages = {file.split("/")[1] for file in targets.get(name, ()) if file.startswith("receipts/")}
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

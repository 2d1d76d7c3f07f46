"""One job: a stage applied to one instance (a shard, a phase, a model on a suite), from its key to its outputs in place.

The body works on staged paths; an output appears under its final name only when all of them are whole and flushed. What is
needed to continue after an interruption lives in `Job.work`, a folder named by the key, removed after success.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snow import code, digest
from snow import params as settings
from snow.errors import SnowError
from snow.stages import Stage

STATE = Path(".snow")
KEY_VERSION = 1


@dataclass(frozen=True)
class Job:
    """What a stage's `run` gets: a View of its params, existing input paths, staged output paths, and where to keep state."""

    instance: str
    params: Any  # snow.params.View
    inputs: Mapping[str, tuple[Path, ...]]
    outputs: Mapping[str, Path]
    threads: int
    work_root: Path
    key: str = field(default="")

    def input(self, name: str) -> Path:
        """The single path of an input; SnowError when there is none or more than one."""
        paths = self.inputs.get(name, ())
        if len(paths) != 1:
            raise SnowError(f"--input {name} needs exactly one path, got {len(paths)}")
        return paths[0]

    def output(self, name: str) -> Path:
        """The staged path of an output: write a file there, or create a folder there."""
        if name not in self.outputs:
            raise SnowError(f"--output {name} PATH is missing")
        return self.outputs[name]

    @property
    def work(self) -> Path:
        """The folder that survives an interruption, created on first use."""
        path = self.work_root / self.key
        path.mkdir(parents=True, exist_ok=True)
        return path


def describe(stage: Stage, instance: str, params: settings.Params, inputs: Mapping[str, Sequence[Path]]) -> dict[str, Any]:
    """Everything that decides a job's result, as JSON types; its canonical form hashed is the job's key."""
    return {
        "version": KEY_VERSION,
        "stage": stage.name,
        "instance": instance,
        "params": settings.subset(params, stage.reads(instance)),
        "inputs": {name: [digest.content_hash(path) for path in paths] for name, paths in sorted(inputs.items())},
        "code": code.digest(stage.module),
        "packages": {name: _version(name) for name in stage.packages},
    }


def run(
    stage: Stage,
    instance: str,
    params: settings.Params,
    inputs: Mapping[str, Sequence[Path]],
    outputs: Mapping[str, Path],
    threads: int,
) -> dict[str, Any]:
    """Execute one job in this environment and put its outputs in place; returns the receipt.

    Raises SnowError when an input is missing. Existing outputs are replaced only after the body has succeeded.
    """
    for name, paths in inputs.items():
        for path in paths:
            if not path.exists():
                raise SnowError(f"{stage.name}: input {name} is missing: {path}; build it first, for example with `snakemake {path}`")
    facts = describe(stage, instance, params, inputs)
    key = digest.sha256(digest.canonical(facts))
    (STATE / "staging").mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f"{stage.name}-", dir=STATE / "staging"))
    try:
        staged = {name: staging / name / path.name for name, path in outputs.items()}
        for path in staged.values():
            path.parent.mkdir(parents=True)
        body_outputs = {name: path for name, path in staged.items() if name != "receipt"}
        job = Job(
            instance=instance,
            params=settings.view(params, stage.reads(instance), stage.name),
            inputs={name: tuple(paths) for name, paths in inputs.items()},
            outputs=body_outputs,
            threads=threads,
            work_root=STATE / "work",
            key=key,
        )
        receipt = {"stage": stage.name, "instance": instance, "facts": importlib.import_module(stage.module).run(job), "key": key, "job": facts}
        if "receipt" in staged:
            staged["receipt"].write_text(json.dumps(receipt, indent=1, sort_keys=True) + "\n")
        for name, path in staged.items():
            if not path.exists():
                raise SnowError(f"{stage.name} did not write its output {name}")
            digest.fsync_tree(path)
        for name, path in staged.items():
            _move_into_place(path, outputs[name])
        shutil.rmtree(STATE / "work" / key, ignore_errors=True)
        return receipt
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _move_into_place(staged: Path, final: Path) -> None:
    final.parent.mkdir(parents=True, exist_ok=True)
    if final.is_dir() and not final.is_symlink():
        shutil.rmtree(final)  # rename cannot replace a folder that holds something
    os.replace(staged, final)


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        raise SnowError(f"{distribution} is not installed in this environment; run `make envs`") from None

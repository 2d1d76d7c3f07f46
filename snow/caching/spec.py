"""What decides a job's result besides its inputs: params, code, package versions; and the file Snakemake watches for it.

A rule that reads no other file has `.snow/spec/STAGE-INSTANCE.json` for its input. The main process rewrites it at parse time only
when its content changes; of every other job the times of its files alone say whether it is current.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from snow import digest, environments, source_code
from snow import params as settings
from snow.errors import SnowError
from snow.graph import Job, Stage

FOLDER = Path(".snow/spec")
VERSION = 2

Sources = Mapping[str, Any]  # from an instance to what it reads outside the repository


def sources(stage: Stage, params: settings.Params, jobs: Iterable[Job]) -> Sources:
    """What jobs of a stage read outside the repository, looked at once for all of them; empty for a stage that reads nothing there."""
    if stage.fingerprint is None:
        return {}
    views = {job.instance: settings.view(params, job.params) for job in jobs}
    return importlib.import_module(stage.fingerprint).fingerprint(views, stage.env)


def filled(old: Any, new: Any) -> Any:
    """`new`, one instance's sources, with what is not known here (None) taken from `old`, those of its receipt."""
    if new is None:
        return old
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return {name: filled(old.get(name), value) for name, value in new.items()}
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [filled(*pair) for pair in zip(old, new, strict=True)]
    return new


def same_sources(old: Any, new: Any) -> bool:
    """Whether what a job read outside the repository is unchanged: `old` is from its receipt, `new` is one instance's sources now,
    both None for a stage that reads nothing there. What is not known here is taken as unchanged, or a clone that has no network
    and no weights would make again what it has pulled."""
    return (old is None) == (new is None) and filled(old, new) == old


def of(stage: Stage, job: Job, params: settings.Params, seen: Sources) -> dict[str, Any]:
    """The spec of one job as JSON types; `seen` is what `sources` returned. Raises SnowError when a package that matters is not
    installed."""
    spec = {
        "version": VERSION,
        "stage": stage.name,
        "params": settings.subset(params, job.params.values(), stage.unkeyed_of(job)),
        "code": source_code.digest(stage.module),
        "packages": packages(stage, job),
    }
    if stage.fingerprint:
        spec["sources"] = seen.get(job.instance)
    return spec


def path_of(job: Job) -> Path | None:
    """The file that stands for the spec of a job that reads no other."""
    return None if job.inputs else FOLDER / f"{job.stage}-{job.instance}.json"


def write(path: Path, spec: dict[str, Any]) -> bool:
    """Write a spec if its content differs from the file's; returns whether it did."""
    text = digest.canonical(spec)
    if path.exists() and path.read_text() == text:
        return False
    digest.replace(path, text)
    return True


def key(spec: dict[str, Any], instance: str, inputs: dict[str, list[str]]) -> str:
    """A job's key: SHA-256 of the canonical form of its spec, its instance and its inputs' content hashes by name."""
    return digest.sha256(digest.canonical({"spec": spec, "instance": instance, "inputs": {name: inputs[name] for name in sorted(inputs)}}))


def packages(stage: Stage, job: Job) -> dict[str, str]:
    """The versions of the packages that matter: those its stage names, or of a job with an environment of its own all of them."""
    if job.env is None:
        return {name: package_version(stage.env, name) for name in stage.packages}
    return {name: package_version(job.env, name) for name in _locked(job.env)}


@cache
def package_version(env: str, name: str) -> str:
    """The version of a distribution in a locked environment, without a local part such as +cpu; from the lock when it is not installed."""
    try:
        places = environments.site_packages(env)
    except SnowError:
        places = []  # not installed on this machine; what the lock would install decides
    found = next(iter(_distributions(name, places)), None)
    if found is None:
        version = next((version for locked, version in _locked(env).items() if locked.casefold() == name.casefold()), None)
        if version is None:
            raise SnowError(f"{name} is neither installed in the environment {env} nor in its lock; run `make envs`")
        return version
    return found.version.partition("+")[0]


@cache
def _locked(env: str) -> dict[str, str]:
    """The version of each package in the lock of an environment, without a local part; none without a lock."""
    lock = Path(__file__).parents[2] / "envs" / f"{env}.txt"
    return dict(re.findall(r"(?m)^([^\s=#]+)==([^\s+]+)", lock.read_text() if lock.exists() else ""))


def _distributions(name: str, places: list[str] | None) -> Iterable[importlib.metadata.Distribution]:
    if places is None:
        return importlib.metadata.Distribution.discover(name=name)
    return importlib.metadata.Distribution.discover(name=name, path=places)

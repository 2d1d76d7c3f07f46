"""The receipts of the workspace read as a ledger: which job made each file, from what, and whether that still holds.

A receipt says with which spec and from which contents a job made its outputs. It is an artifact like the others, so a clone,
a pull or a checkout brings it along, and what is current can be decided per file from contents alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snow import graph
from snow.caching import hashes, spec
from snow.params import Params
from snow.stages import STAGES, Stage

RECEIPTS = Path("receipts")


@dataclass(frozen=True)
class Entry:
    """One finished job as its receipt tells it."""

    receipt: Path
    stage: Stage
    instance: str
    key: str
    spec: Mapping[str, Any]
    inputs: tuple[tuple[Path, str], ...]
    outputs: tuple[tuple[Path, str], ...]

    @property
    def name(self) -> str:
        """`stage instance`, as it is typed."""
        return f"{self.stage.name} {self.instance}"


@dataclass(frozen=True)
class Cause:
    """One reason why a job's outputs are not what a run would produce now: `kind` is param, code, package, source, input, output."""

    kind: str
    what: str
    old: Any = None
    new: Any = None


def read(folder: Path = RECEIPTS) -> list[Entry]:
    """Every readable receipt, in topological order of the files they connect; a receipt that cannot be read counts as absent."""
    entries = [entry for path in sorted(folder.rglob("*.json")) if (entry := _entry(path)) is not None]
    return list(_topological(entries))


def _entry(path: Path) -> Entry | None:
    try:
        told = json.loads(path.read_bytes())
        stage = STAGES[told["stage"]]
        inputs = tuple((Path(file), md5) for pairs in told["inputs"].values() for file, md5 in pairs)
        outputs = tuple((Path(file), md5) for file, md5 in told["outputs"].values())
        return Entry(path, stage, told["instance"], told["key"], told["spec"], inputs, outputs)
    except (ValueError, KeyError, TypeError, OSError):
        return None


def makers(entries: Iterable[Entry]) -> dict[Path, Entry]:
    """Which job made each output and receipt."""
    return {path: entry for entry in entries for path, _ in (*entry.outputs, (entry.receipt, ""))}


def sources_of(path: Path, made: Mapping[Path, Entry]) -> list[Path]:
    """The outputs behind an input: the output that is this path or the folder around it, else every output inside it; none for
    a file no job made."""
    if path in made:
        return [path]
    around = next((candidate for candidate in path.parents if candidate in made), None)
    return [around] if around is not None else [output for output in made if path in output.parents]


def _topological(entries: list[Entry]) -> Iterator[Entry]:
    made = makers(entries)
    done: set[Path] = set()
    for start in entries:
        stack = [start]
        while stack:
            entry = stack[-1]
            sources = [made[output] for path, _ in entry.inputs for output in sources_of(path, made)]
            waiting = [source for source in sources if source.receipt not in done and source not in stack]
            if waiting and entry.receipt not in done:
                stack.extend(waiting)
                continue
            stack.pop()
            if entry.receipt not in done:
                done.add(entry.receipt)
                yield entry


def workspace(entries: Iterable[Entry]) -> dict[Path, hashes.Content | None]:
    """The present content of every file the entries mention, each hashed at most once."""
    return hashes.contents(path for entry in entries for path, _ in (*entry.inputs, *entry.outputs))


def causes(entry: Entry, now: Mapping[str, Any], present: Mapping[Path, hashes.Content | None]) -> list[Cause]:
    """Why the outputs of a job are not current, all of it; an empty list when they are. `now` is the job's spec today."""
    found = list(_spec_causes(entry.spec, now))
    for path, md5 in entry.inputs:
        content = present[path]
        if content is None or content.md5 != md5:
            found.append(Cause("input", path.as_posix(), md5, content.md5 if content else None))
    for path, md5 in entry.outputs:
        content = present[path]
        if content is None or content.md5 != md5:
            found.append(Cause("output", path.as_posix(), md5, content.md5 if content else None))
    return found


def _spec_causes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Cause]:
    for key, was, is_now in _differences(old["params"], new["params"]):
        yield Cause("param", key, was, is_now)
    if old["code"] != new["code"]:
        yield Cause("code", new["stage"], old["code"], new["code"])
    for name, was, is_now in _differences(old["packages"], new["packages"]):
        yield Cause("package", name, was, is_now)
    if old.get("sources") != new.get("sources"):
        yield Cause("source", new["stage"], old.get("sources"), new.get("sources"))
    if old["version"] != new["version"]:
        yield Cause("code", "snow.caching.spec", old["version"], new["version"])


def _differences(old: Any, new: Any, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(dotted key, old, new) of every leaf that differs between two JSON values."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in sorted({*old, *new}):
            yield from _differences(old.get(name), new.get(name), f"{prefix}.{name}" if prefix else name)
    elif old != new:
        yield prefix, old, new


class Specs:
    """Specs of today, computed once per spec file; what lies outside the repository is looked at once."""

    def __init__(self, params: Params) -> None:
        self._params = params
        self._known: dict[Path, dict[str, Any]] = {}
        self._sources: dict[str, spec.Sources] = {}

    def of(self, stage: Stage, instance: str) -> dict[str, Any]:
        """The spec of one job now."""
        path = spec.path_of(stage, instance)
        if path not in self._known:
            if stage.name not in self._sources:
                self._sources[stage.name] = spec.sources(stage, self._params, graph.instances(self._params)[stage.name])
            self._known[path] = spec.of(stage, instance, self._params, self._sources[stage.name])
        return self._known[path]

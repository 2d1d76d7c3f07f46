"""The receipts of the workspace held against the graph: which job made each file, from what, and whether that still holds.

A receipt says with which spec and from which contents a job made its outputs. It is an artifact like the others, so a clone,
a pull or a checkout brings it along, and what is current can be decided per file from contents alone. A job is current when its
receipt names the spec it has now, exactly the inputs the graph gives it now, and the contents that lie there; everything else a
run must make or restore.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snow import sealed, stages
from snow.caching import hashes, spec
from snow.graph import Graph, Job, Stage
from snow.params import Params
from snow.stages import STAGES

RECEIPTS = Path("receipts")
ABSENT = "(absent)"  # a key that one side lacks, which is not the same as null

Named = Mapping[str, tuple[tuple[str, str], ...]]  # input name -> (path, md5) in the order of the command line


@dataclass(frozen=True)
class Receipt:
    """One finished job as its receipt tells it."""

    path: Path
    stage: Stage
    instance: str
    key: str
    spec: Mapping[str, Any]
    inputs: Named
    outputs: Mapping[str, str]  # path -> md5

    @property
    def name(self) -> str:
        """`stage instance`, as it is typed."""
        return f"{self.stage.name} {self.instance}"

    @property
    def read(self) -> dict[str, str]:
        """The md5 of every input by path."""
        return {path: md5 for pairs in self.inputs.values() for path, md5 in pairs}


@dataclass(frozen=True)
class Cause:
    """One reason why a job's outputs are not what a run would produce now: `kind` is param, code, package, source, reads (another
    set of inputs), input or output (other contents)."""

    kind: str
    what: str
    old: Any = None
    new: Any = None


@dataclass(frozen=True)
class Verdict:
    """The state of one job: current, outdated (with causes), missing (never made here, or its receipt is gone), or waiting: it reads
    what one of the others will make, and is executed only if those bytes come out different."""

    stage: str
    instance: str
    state: str
    causes: tuple[Cause, ...] = ()
    waits_for: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ledger:
    """One look at a workspace: the graph, the receipts that lie there (also of jobs the graph no longer has), the content of every
    file they or the graph speak of, and the verdict on every job of the graph in topological order."""

    graph: Graph
    receipts: Mapping[str, Receipt]  # by `stage instance`
    present: Mapping[str, hashes.Content | None]
    specs: Specs
    verdicts: Mapping[str, Verdict]

    @property
    def current(self) -> set[str]:
        """Names of the jobs of which nothing has to be done."""
        return {name for name, verdict in self.verdicts.items() if verdict.state == "current"}


def look(params: Params) -> Ledger:
    """Read every receipt, hash what is not remembered, and decide."""
    graph = stages.graph(params)
    receipts = read()
    specs = Specs(params, graph)
    mentioned = {path for receipt in receipts.values() for path in (*receipt.read, *receipt.outputs)}
    mentioned |= {file for job in graph.jobs for file in job.files}
    present = {str(path): content for path, content in hashes.contents(Path(path) for path in sorted(mentioned)).items()}
    verdicts: dict[str, Verdict] = {}
    for job in graph.jobs:
        verdicts[job.name] = _verdict(job, graph, receipts, specs, present, verdicts)
    return Ledger(graph, receipts, present, specs, verdicts)


def read(folder: Path = RECEIPTS) -> dict[str, Receipt]:
    """Every sound receipt by `stage instance`; one that is damaged, or lies where another job's belongs, counts as absent, and so does a
    link to an object that the cache has lost (`dvc checkout` makes one). A file that this process has read before and that was not
    written since is not read again."""
    receipts = {}
    for path in sorted(folder.rglob("*.json")):
        try:
            state = path.stat()
        except FileNotFoundError:
            continue
        now = (state.st_ino, state.st_size, state.st_mtime_ns)
        if _parsed.get(path, (None, None))[0] != now:
            _parsed[path] = (now, parse(path.read_bytes(), path))
        receipt = _parsed[path][1]
        if receipt is not None:
            receipts[receipt.name] = receipt
    return receipts


_parsed: dict[Path, tuple[Any, Receipt | None]] = {}


def parse(text: bytes, path: Path) -> Receipt | None:
    """The receipt that lies, or belongs, at a path; None when it is none."""
    try:
        if not sealed.sound(text):
            return None
        told = json.loads(text)
        inputs = {name: tuple((file, md5) for file, md5 in pairs) for name, pairs in told["inputs"].items()}
        outputs = dict(told["outputs"].values())
        receipt = Receipt(path, STAGES[told["stage"]], told["instance"], told["key"], told["spec"], inputs, outputs)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return receipt if path == RECEIPTS / told["stage"] / f"{told['instance']}.json" else None


def _verdict(
    job: Job,
    graph: Graph,
    receipts: Mapping[str, Receipt],
    specs: Specs,
    present: Mapping[str, hashes.Content | None],
    before: Mapping[str, Verdict],
) -> Verdict:
    receipt = receipts.get(job.name)
    if receipt is None:
        return Verdict(job.stage, job.instance, "missing")
    causes = [*_spec_causes(receipt.spec, specs.of(job)), *_reads_causes(receipt, job)]
    recorded = {path: md5 for name in graph.upstream[job.name] if name in receipts for path, md5 in receipts[name].outputs.items()}
    for path, md5 in receipt.read.items():
        content = present[path]
        # An input that is absent, but was made as it was read, is no reason to make anything but itself again.
        if (content is None and recorded.get(path) != md5) or (content is not None and content.md5 != md5):
            causes.append(Cause("input", path, md5, content.md5 if content else None))
    for path in sorted({*receipt.outputs, *job.outputs.values()}):
        content, md5 = present[path], receipt.outputs.get(path)
        if content is None or content.md5 != md5:
            causes.append(Cause("output", path, md5, content.md5 if content else None))
    if causes:
        return Verdict(job.stage, job.instance, "outdated", tuple(causes))
    upstream = tuple(sorted(name for name in graph.upstream[job.name] if before[name].state != "current"))
    return Verdict(job.stage, job.instance, "waiting" if upstream else "current", (), upstream)


def _spec_causes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Cause]:
    for key, was, is_now in _differences(old["params"], new["params"]):
        yield Cause("param", key, was, is_now)
    if old["code"] != new["code"]:
        yield Cause("code", new["stage"], old["code"], new["code"])
    for name, was, is_now in _differences(old["packages"], new["packages"]):
        yield Cause("package", name, was, is_now)
    if not spec.same_sources(old.get("sources"), new.get("sources")):
        yield Cause("source", new["stage"], old.get("sources"), new.get("sources"))
    if old["version"] != new["version"]:
        yield Cause("code", "snow.caching.spec", old["version"], new["version"])


def _reads_causes(receipt: Receipt, job: Job) -> Iterator[Cause]:
    """Where the inputs a job was given are not those the graph gives it: a suite or a shard more or fewer, another order."""
    for name in sorted({*receipt.inputs, *job.inputs}):
        were, are = [path for path, _ in receipt.inputs.get(name, ())], list(job.inputs.get(name, ()))
        if were == are:
            continue
        yield from (Cause("reads", path, True, False) for path in were if path not in are)
        yield from (Cause("reads", path, False, True) for path in are if path not in were)
        if sorted(were) == sorted(are):
            yield Cause("reads", f"{name} in another order", were, are)


def _differences(old: Any, new: Any, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(dotted key, old, new) of every leaf that differs between two JSON values."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in sorted({*old, *new}):
            yield from _differences(old.get(name, ABSENT), new.get(name, ABSENT), f"{prefix}.{name}" if prefix else name)
    elif old != new:
        yield prefix, old, new


class Specs:
    """Specs of today, computed once for all jobs that read the same; what lies outside the repository is looked at once."""

    def __init__(self, params: Params, graph: Graph) -> None:
        self._params, self._graph = params, graph
        self._known: dict[Any, dict[str, Any]] = {}
        self._sources: dict[str, spec.Sources] = {}

    def of(self, job: Job) -> dict[str, Any]:
        """The spec of one job of the graph now."""
        stage = STAGES[job.stage]
        same = (stage.name, *job.params.values(), job.instance if stage.fingerprint else "")
        if same not in self._known:
            if stage.name not in self._sources:
                jobs = (one for one in self._graph.jobs if one.stage == stage.name)
                self._sources[stage.name] = spec.sources(stage, self._params, jobs)
            self._known[same] = spec.of(stage, job, self._params, self._sources[stage.name])
        return self._known[same]

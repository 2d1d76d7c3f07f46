"""What must hold after every step, whatever was done: the claims of `snow why`, `snakemake -n` and `dvc status` against the oracle."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from . import oracle, said, store
from .store import unsound

if TYPE_CHECKING:
    from .commands import Done
    from .world import World

CURRENT = "Nothing to be done"
OPEN = ("outdated", "missing")


@dataclass(frozen=True)
class Seen:
    """What the three commands say: verdicts by job, the jobs Snakemake would start, the changed DVC stages by artifact."""

    verdicts: Mapping[str, Any]
    planned: set[str]
    status: Mapping[str, Any]

    def state(self, name: str) -> str:
        """`snow why` on a job."""
        return self.verdicts[name]["state"]

    @property
    def idle(self) -> bool:
        """Whether all of them have nothing to do."""
        return not self.planned and not self.status and all(verdict["state"] == "current" for verdict in self.verdicts.values())


def look(world: World) -> Seen:
    """Ask all three, in one order or the other."""
    questions = [lambda: _status(world), lambda: _why(world), lambda: planned(world)]
    order = [0, 1, 2] if len(world.steps) % 2 else [2, 1, 0]
    answers: dict[int, Any] = {number: questions[number]() for number in order}
    return Seen(answers[1], answers[2], answers[0])


def _why(world: World) -> dict[str, Any]:
    done = world.run("snow", "why", "--json", ok=None)
    assert done.status in (0, 1), done.output
    return {f"{told['stage']} {told['instance']}": told for told in json.loads(done.output[done.output.index("[") :])}


def planned(world: World, *words: str) -> set[str]:
    """The jobs that Snakemake would start."""
    done = world.run("snakemake", "-n", *words, "--", "all")
    assert CURRENT in done.output or "Job stats" in done.output, done.output
    outputs = " ".join(re.findall(r"(?m)^    output: (.*)$", done.output))
    return {f"{stage} {instance}" for stage, instance in re.findall(r"receipts/(\w+)/(\S+?)\.json", outputs)}


def _status(world: World) -> dict[str, Any]:
    damaged = any(unsound(world.truth, root) for root in world.stores())
    lost = any(not path.exists() for path in world.files().values())
    done = world.run("dvc", "status", "--json", ok=None if damaged or lost else True)
    if done.status:  # DVC cannot read a damaged listing or a link to nothing, which a run repairs; it calls nothing unchanged then
        return {job.artifact: {} for job in world.expected().values()}
    told = json.loads(done.output[done.output.index("{") :])
    return {name: _flat(reasons) for name, reasons in told.items()}


def _flat(reasons: Iterable[Any]) -> dict[str, Any]:
    """DVC's list of reasons, most of them one-key mappings, as one mapping."""
    return {kind: what for entry in reasons for kind, what in (entry.items() if isinstance(entry, dict) else [(entry, {})])}


def source_changed(world: World) -> bool:
    """Whether outside files are not those that lie gathered, of which DVC knows nothing."""
    wanted = {path: content for job in world.expected().values() if job.stage == "gather" for path, content in job.outputs.items()}
    found = {path: (world.clone / path).read_bytes() for path in wanted if (world.clone / path).is_file()}
    return any(wanted[path] != content for path, content in found.items())


def differences(world: World, job: oracle.Expected) -> list[str]:
    """Paths of a job whose bytes are not the oracle's."""
    return [path for path, content in job.outputs.items() if _read(world.clone / path) != content]


def _read(path: Path) -> oracle.Content | None:
    if path.is_dir():
        files = [file for file in path.rglob("*") if file.is_file() and file.name != ".snakemake_timestamp"]
        return {file.relative_to(path).as_posix(): file.read_bytes() for file in files}
    return path.read_bytes() if path.is_file() else None


def with_upstream(jobs: Mapping[str, oracle.Expected], asked: Iterable[oracle.Expected]) -> dict[str, oracle.Expected]:
    """Jobs and everything they need."""
    makers = {path: job for job in jobs.values() for path in (*job.outputs, job.receipt)}
    found: dict[str, oracle.Expected] = {}
    queue = [jobs[job.name] for job in asked]
    while queue:
        job = queue.pop()
        if job.name in found:
            continue
        found[job.name] = job
        for path in (path for paths in job.inputs.values() for path in paths):
            queue += [maker for made, maker in makers.items() if made == path or path.startswith(f"{made}/") or made.startswith(f"{path}/")]
    return found


def bytes_are(world: World, jobs: Mapping[str, oracle.Expected]) -> None:
    """Every output of these jobs is the oracle's, and their receipts say so."""
    wrong = [text for job in jobs.values() for text in (*differences(world, job), *receipt_wrong(world, job))]
    assert not wrong, f"a run ended well, but these are not what params, sources and code give: {wrong}"


def bytes_are_either(world: World, *params: Mapping[str, Any]) -> None:
    """Every output is that of one and the same of some params."""
    wrong = [[path for job in world.expected(given).values() for path in differences(world, job)] for given in params]
    assert not all(wrong), f"a run mixed params: against those before the edit {wrong[0]} differ, against those after it {wrong[1]}"


def finished(world: World) -> dict[str, str]:
    """`stage instance` by key of every sound receipt whose outputs lie there as it says."""
    found = {}
    for data in world.receipts().values():
        told = json.loads(data)
        contents = [(md5, _read(world.clone / out)) for out, md5 in told["outputs"].values()]
        if all(content is not None and oracle.md5(content) == md5 for md5, content in contents):
            found[told["key"]] = f"{told['stage']} {told['instance']}"
    return found


def receipt_wrong(world: World, job: oracle.Expected) -> list[str]:
    """What a job's receipt says that is not so."""
    data = world.receipts().get(job.receipt)
    if data is None:
        return [f"{job.receipt} is missing or not sound"]
    told = json.loads(data)
    said = dict(told["outputs"].values())
    found = [] if said == {path: oracle.md5(content) for path, content in job.outputs.items()} else [f"{job.receipt}: outputs {said}"]
    found += [] if told["spec"]["params"] == job.params else [f"{job.receipt}: params {told['spec']['params']}"]
    found += [] if told["facts"] == job.facts else [f"{job.receipt}: facts {told['facts']}"]
    for name in {*told["inputs"], *job.inputs}:
        read = [path for path, _ in told["inputs"].get(name, ())]
        if read != list(job.inputs.get(name, ())):
            found.append(f"{job.receipt}: input {name} is {read}")
            continue
        for path, md5 in told["inputs"].get(name, ()):
            content = _read(world.clone / path)
            if content is not None and oracle.md5(content) != md5:
                found.append(f"{job.receipt}: read another {path}")
    return found


def after_run(world: World, done: Done | None) -> None:
    """After a run that had everything to do and did it: every byte is right, all tools are idle at the first look, and nothing else lies
    there, but where there was nothing to do and so nobody looked."""
    bytes_are(world, world.expected())
    seen = look(world)
    assert not seen.planned, f"after a whole run, `snakemake -n all` would start {sorted(seen.planned)}"
    assert not seen.status, f"after a whole run, `dvc status` says {seen.status}"
    assert seen.idle, f"after a whole run, `snow why` says {[v for v in seen.verdicts.values() if v['state'] != 'current']}"
    strays = world.files().keys() - {file for job in world.expected().values() for file in _files(job)} - world.forgotten
    looked = done is not None and CURRENT not in done.output and "up to date" not in done.output
    assert not (strays and looked), f"a whole run left {sorted(strays)}"
    assert world.pipeline_is_true(), "after a whole run, dvc.yaml is not what `snow check --fix` would write"
    world.seen, world.synced, world.commented = seen, world.params(), False


def _files(job: oracle.Expected) -> list[str]:
    inside = [[path] if isinstance(content, bytes) else [f"{path}/{name}" for name in content] for path, content in job.outputs.items()]
    return [job.receipt, *(path for paths in inside for path in paths)]


def after_step(world: World) -> None:
    """Everything that is called current is the oracle's, the tools agree, and stores hold nothing but truth."""
    for root in world.stores():
        found = store.problems(world.truth, root)
        assert not found, "\n".join(found)
    found = store.lock_problems(world.truth, world.clone / "dvc.lock")
    assert not found, "\n".join(found)
    jobs = world.expected()
    seen = world.seen or look(world)
    assert seen.verdicts.keys() == jobs.keys(), f"`snow why` speaks of {sorted(seen.verdicts)}, not of {sorted(jobs)}"
    for name, job in jobs.items():
        wrong = differences(world, job)
        if seen.state(name) == "current":
            wrong += receipt_wrong(world, job)
            assert not wrong, f"`snow why` calls {name} current, but: {wrong}"
        assert name in seen.planned or not wrong, f"`snakemake -n all` would leave {name}, but: {wrong}"
    unfinished = {name for name in jobs if seen.state(name) != "current"}
    alone = [seen.verdicts[name] for name in sorted(unfinished ^ seen.planned)]
    assert not alone, f"`snakemake -n all` alone names {sorted(seen.planned - unfinished)}, or `snow why` alone: {alone}"
    _dvc_claims(world, seen)
    if world.synced is not None:
        _dvc_agrees(world, seen, jobs, world.synced)


def _dvc_claims(world: World, seen: Seen) -> None:
    """What DVC calls unchanged, with everything before it, is the oracle's; of sources it knows nothing, and a damaged object
    that it linked it takes for what it should be."""
    if world.truth.damaged:
        return
    raw = {name: path.read_bytes() for name, path in world.files().items() if name.startswith("corpus/raw/")}
    jobs = world.expected(given=raw)
    upstream: dict[str, set[str]] = {}
    for job in jobs.values():
        upstream.setdefault(job.artifact, set()).update(one.artifact for one in with_upstream(jobs, [job]).values())
    known = world.pipeline().keys() - _reordered(world)
    for job in jobs.values():
        if not any(name in seen.status or name not in known for name in upstream[job.artifact]):
            wrong = differences(world, job)
            assert not wrong, f"`dvc status` calls {job.artifact} and what it is made from unchanged, but: {wrong}"


def _reordered(world: World) -> set[str]:
    """The report, where the same arms are declared in another order than dvc.lock has them in: a mapping's order is nothing to DVC."""
    lock = world.clone / "dvc.lock"
    stages = yaml.safe_load(lock.read_text())["stages"] if lock.exists() else {}
    params, locked = world.params(), stages.get("report", {}).get("params", {}).get("params.yaml", {})
    return {"report"} if any([*locked.get(name, {})] != [*params[name]] for name in said.SECTIONS) else set()


def _dvc_agrees(world: World, seen: Seen, jobs: Mapping[str, oracle.Expected], synced: Mapping[str, Any]) -> None:
    """Since the last run only edits were made, so the same artifacts are changed for a reason of their own to DVC and `snow why`.

    Not told by DVC: sources, the set of files a job reads, and artifacts that are in params.yaml and not yet in dvc.yaml. Not told by
    `snow why`: comments, params that say how and not what or the same in other words, and files of jobs that are no more.
    """
    before = {name: job.params for name, job in world.expected(synced).items()}
    same = {job.artifact for name, job in jobs.items()} - {job.artifact for name, job in jobs.items() if before.get(name) != job.params}
    mine: dict[str, list[Any]] = {}
    for name, job in jobs.items():
        kinds = [cause["kind"] for cause in seen.verdicts[name]["causes"]]
        if seen.state(name) == "outdated" and any(kind in ("param", "code", "output") for kind in kinds):
            mine.setdefault(job.artifact, []).append(seen.verdicts[name])
    known = world.pipeline().keys() - _reordered(world)
    for artifact, verdicts in mine.items():
        told = artifact in seen.status or artifact not in known
        assert told, f"`dvc status` calls {artifact} unchanged, `snow why` says {verdicts}"
    opened = {job.artifact for name, job in jobs.items() if seen.state(name) in OPEN}
    gone = {job.artifact for job in world.expected(synced).values()} - {job.artifact for job in jobs.values()}
    for artifact, reasons in seen.status.items():
        own = _own_reasons(reasons, world.commented, artifact in same)
        told = not own or artifact in opened or artifact in gone
        assert told, f"`dvc status` calls {artifact} changed for {own}, `snow why` calls no job of it so"


def _own_reasons(reasons: Mapping[str, Any], commented: bool, same_params: bool) -> list[Any]:
    deps = reasons.get("changed deps", {})
    params = {} if same_params else deps.get("params.yaml", {})
    code = [name for name in deps if name.startswith("snow/") and not commented]
    return [*reasons.get("changed outs", {}).items(), *params.items(), *code]

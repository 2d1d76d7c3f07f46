"""One job: a stage applied to one instance (a shard, a phase, a model on a suite), from its key to its outputs in place.

A job whose key has a record in the cache is restored from there. Otherwise the body works on staged paths; an output appears
under its final name only when all of them are whole and flushed. What is needed to continue after an interruption lives in
`Job.work`, a folder named by the key, removed after success.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from snow import digest, disk, graph, sealed, source_code
from snow import params as settings
from snow.caching import costs, hashes, records, spec
from snow.caching.store import Store, open_store
from snow.errors import SnowError
from snow.graph import Stage

if TYPE_CHECKING:
    from snow.console.telemetry import Telemetry

STATE = Path(".snow")
STAGING = STATE / "staging"
AGAIN = "changed while it ran; run the same command again"
RECEIPT = "receipt"  # the output the runner itself writes


P = TypeVar("P")  # the Protocol `Params` of a stage's module: what its row in `snow.jobs` declares, with types


@dataclass(frozen=True)
class Job(Generic[P]):
    """What a stage's `run` gets: the params it declared, existing input paths, staged output paths, and where to keep state."""

    instance: str
    params: P
    inputs: Mapping[str, tuple[Path, ...]]
    outputs: Mapping[str, Path]
    threads: int
    work_root: Path
    key: str
    logs: Path = costs.LOGS

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

    def telemetry(self, **training: Any) -> Telemetry:
        """What tells people how a training goes (`snow.console.telemetry.Training`); a stage that gets at it here has it not in its key."""
        from snow.console import telemetry

        return telemetry.Telemetry(telemetry.Training(self.instance, **training), self.logs)


@dataclass(frozen=True)
class Call:
    """What was asked for on the command line, with everything that decides the result: spec, input contents, key."""

    stage: Stage
    job: graph.Job
    params: settings.Params
    inputs: Mapping[str, tuple[Path, ...]]
    outputs: Mapping[str, Path]
    threads: int
    spec: dict[str, Any]
    contents: Mapping[Path, hashes.Content]
    key: str


def call(
    stage: Stage,
    instance: str,
    params: settings.Params,
    inputs: Mapping[str, tuple[Path, ...]],
    outputs: Mapping[str, Path],
    threads: int,
) -> Call:
    """Hash the inputs and compute the key. Raises SnowError naming an input that is missing, or an instance the params do not have."""
    job = stage.job(params, instance)
    seen = hashes.contents(path for paths in inputs.values() for path in paths)
    for name, paths in inputs.items():
        for path in paths:
            if seen[path] is None:
                raise SnowError(f"{stage.name}: input {name} is missing: {path}; build it first, for example with `snakemake {path}`")
    known = {path: content for path, content in seen.items() if content is not None}
    decided = spec.of(stage, job, params, spec.sources(stage, params, [job]))
    key = spec.key(decided, instance, {name: [known[path].md5 for path in paths] for name, paths in inputs.items()})
    return Call(stage, job, params, inputs, outputs, threads, decided, known, key)


def recorded(asked: Call, store: Store) -> dict[str, hashes.Content] | None:
    """The outputs by path that an earlier run of the same job left in the cache, or None."""
    return records.load(store, _entry(asked))


def restore(asked: Call) -> bool:
    """Put the outputs of an earlier run of the same job in place; False when the cache cannot give all of them. Raises SnowError when
    there is no space for them."""
    store = open_store()
    if store is None:
        return False
    found = recorded(asked, store)
    if found is None:
        return False
    with _staging(asked) as folder:
        staged = {name: folder / name / path.name for name, path in asked.outputs.items()}
        for name, path in asked.outputs.items():
            known = found.get(path.as_posix())
            staged[name].parent.mkdir(parents=True)
            if known is None or not store.check_out(known, staged[name]):
                return False
        _move_into_place(asked, staged, {name: found[path.as_posix()] for name, path in asked.outputs.items()})
    return True


def execute(asked: Call) -> dict[str, Any]:
    """Run the body in this environment and put its outputs in place; returns the receipt.

    Existing outputs are replaced only after the body has succeeded. Under torchrun every rank runs the body and rank 0 alone
    publishes. Raises SnowError when there is no space for what it makes, and whatever the body raises.
    """
    started = time.monotonic()
    with _staging(asked) as folder:
        staged = {name: folder / name / path.name for name, path in asked.outputs.items()}
        for path in staged.values():
            path.parent.mkdir(parents=True)
        job = Job(
            instance=asked.job.instance,
            params=settings.view(asked.params, asked.job.params),
            inputs=asked.inputs,
            outputs={name: path for name, path in staged.items() if name != RECEIPT},
            threads=asked.threads,
            work_root=STATE / "work",
            key=asked.key,
        )
        body = importlib.import_module(asked.stage.module)
        loaded = frozenset(sys.modules)
        _require_same_code(asked, frozenset())
        try:
            facts = body.run(job)
        except Exception:
            _require_same(asked, loaded)  # what was exchanged under it is the reason
            raise
        if int(os.environ.get("RANK", "0")) > 0:
            return {}  # rank 0 alone has written the outputs
        _require_same(asked, loaded)
        receipt = _receipt(asked, facts, {name: staged[name] for name in job.outputs})
        if RECEIPT in staged:
            staged[RECEIPT].write_bytes(sealed.dump(receipt))
        _publish(asked, staged, open_store())
    shutil.rmtree(STATE / "work" / asked.key, ignore_errors=True)
    with contextlib.suppress(OSError):  # a full disk; what was made is in place
        costs.record(asked.stage.name, asked.job.instance, asked.key, time.monotonic() - started)
    return receipt


def _require_same(asked: Call, loaded: Set[str]) -> None:
    """SnowError when an input, code that was not yet imported (`loaded`), or what the job read outside the repository, is not what it was
    when the key was computed."""
    now = hashes.contents(asked.contents)
    for path, known in asked.contents.items():
        found = now[path]
        if found is None or found.md5 != known.md5:
            raise SnowError(f"{asked.job.name}: its input {path} {AGAIN}")
    outside = spec.sources(asked.stage, asked.params, [asked.job]).get(asked.job.instance)
    if not spec.same_sources(asked.spec.get("sources"), outside):
        raise SnowError(f"{asked.job.name}: what it reads outside the repository {AGAIN}")
    _require_same_code(asked, loaded)


def _require_same_code(asked: Call, loaded: Set[str]) -> None:
    """SnowError when a module of the job's code is not what the key was computed from and was not imported (`loaded`) before it changed:
    bodies import some modules late, and other processes that they start import theirs anew."""
    for name in source_code.changed(asked.stage.module):
        if name not in loaded:
            raise SnowError(f"{asked.job.name}: its code, {source_code.module_path(name) or name}, {AGAIN}")


def _receipt(asked: Call, facts: dict[str, Any], bodies: Mapping[str, Path]) -> dict[str, Any]:
    for name, path in bodies.items():
        if not path.exists():
            raise SnowError(f"{asked.stage.name} did not write its output {name}")
    return {
        "stage": asked.stage.name,
        "instance": asked.job.instance,
        "key": asked.key,
        "facts": facts,
        "spec": asked.spec,
        "inputs": {name: [[path.as_posix(), asked.contents[path].md5] for path in paths] for name, paths in asked.inputs.items()},
        "outputs": {name: [asked.outputs[name].as_posix(), hashes.content(path).md5] for name, path in bodies.items()},
    }


def _publish(asked: Call, staged: Mapping[str, Path], store: Store | None) -> None:
    """Into the cache, with a record, then into place: whatever is interrupted, nothing is computed twice that was cached whole.

    A cache that takes nothing costs no result: it is named, and the next run puts there what is in place.
    """
    known: dict[str, hashes.Content] = {}
    for name, path in staged.items():
        digest.fsync_tree(path)
        known[name] = hashes.content(path)
    refused = _into_cache(asked, staged, known, store) if store is not None else None
    _move_into_place(asked, staged, known)
    if refused is not None:
        print(f"snow {asked.job.name}: the outputs are whole and in place, but {refused}", file=sys.stderr)


def _into_cache(asked: Call, staged: Mapping[str, Path], known: Mapping[str, hashes.Content], store: Store) -> str | None:
    """Add the outputs and their record; what the cache had against it, or None."""
    try:
        for name, path in staged.items():
            store.add(path, known[name])
        records.save(store, _entry(asked, {asked.outputs[name]: content for name, content in known.items()}))
    except OSError as error:
        return store.refusal(error)
    return None


def _entry(asked: Call, outputs: Mapping[Path, hashes.Content] | None = None) -> dict[str, Any]:
    wanted = outputs or dict.fromkeys(asked.outputs.values())
    inputs = {path: content.md5 for path, content in asked.contents.items()}
    return records.entry(asked.stage.name, asked.job.instance, asked.key, inputs, wanted)


@contextlib.contextmanager
def _staging(asked: Call) -> Iterator[Path]:
    """A folder beside the outputs' file system that a later run can tell to be abandoned: its lock dies with this process. Within, a
    disk that is full is a sentence about this job."""
    folder = STAGING / f"{asked.stage.name}-{os.getpid()}-{os.urandom(4).hex()}"
    lock_file = folder.with_name(f"{folder.name}.lock")
    with disk.explained(asked.job.name, STATE):
        STAGING.mkdir(parents=True, exist_ok=True)
        with open(lock_file, "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                folder.mkdir()
                with disk.explained(asked.job.name, STATE):  # before what fills the disk is removed
                    yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
                lock_file.unlink(missing_ok=True)


def sweep_staging() -> None:
    """Remove what killed jobs left; folders of jobs that still run hold their lock and are left alone."""
    for lock in STAGING.glob("*.lock"):
        with open(lock, "a") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            shutil.rmtree(lock.with_name(lock.name.removesuffix(".lock")), ignore_errors=True)
            lock.unlink(missing_ok=True)


def _move_into_place(asked: Call, staged: Mapping[str, Path], known: Mapping[str, hashes.Content]) -> None:
    """All outputs, replacing earlier ones, once each of them lies whole on the disk where it belongs."""
    ready: dict[str, Path] = {}
    try:
        for name, path in staged.items():
            ready[name] = _on_its_disk(path, asked.outputs[name])
        for name, path in ready.items():
            final = asked.outputs[name]
            if final.is_dir() and not final.is_symlink():
                shutil.rmtree(final)  # rename cannot replace a folder that holds something
            elif final.is_symlink() and path.is_dir():
                final.unlink()  # nor a link by a folder
            os.replace(path, final)
            hashes.remember_content(final, known[name])
    except BaseException:
        for path in ready.values():
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        raise


def _on_its_disk(staged: Path, final: Path) -> Path:
    """The staged output, or a copy beside its place when a link to another disk stands in the way, which rename cannot cross."""
    final.parent.mkdir(parents=True, exist_ok=True)
    if staged.stat().st_dev == final.parent.stat().st_dev:
        return staged
    beside = final.with_name(f".{final.name}.{os.getpid()}")
    try:
        _copy(staged, beside)
        digest.fsync_tree(beside)
    except BaseException:
        shutil.rmtree(beside) if beside.is_dir() else beside.unlink(missing_ok=True)
        raise
    return beside


def _copy(source: Path, path: Path) -> None:
    """Links stay links: they lead into the cache."""
    if source.is_dir():
        shutil.copytree(source, path, symlinks=True)
    else:
        shutil.copy2(source, path, follow_symlinks=False)

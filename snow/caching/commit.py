"""After a successful run: what is current is written to dvc.lock, serially, in the main process.

DVC records what params.yaml says, so that is what everything is judged by here, whatever params the run itself had: an artifact
goes into dvc.lock when every one of its jobs is current under params.yaml and nothing else lies in its folders. The others keep the
entry they had, which DVC then calls changed. A stamp over everything that dvc.lock is made from, with the names of what was left out,
makes the second call cheap: DVC is imported only when there is something to write.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from pathlib import Path

from snow import digest, source_code
from snow import params as settings
from snow.caching import hashes, ledger, locked, pipeline, reconcile, strays, why
from snow.caching.ledger import Ledger
from snow.caching.preflight import LOCK, PARAMS
from snow.caching.store import Store, open_store
from snow.errors import SnowError
from snow.graph import Job

STAMP = Path(".snow/committed")


def run() -> list[str]:
    """Commit every DVC stage whose artifact is current; returns their names, an empty list when nothing had changed.

    Raises SnowError when what is to be recorded changes all the while, or the cache cannot take what is new.
    """
    if not due():
        return []
    wanted = pipeline.text()
    if not pipeline.agrees(wanted):
        pipeline.write(wanted)
        print("snow commit: dvc.yaml follows params.yaml and the code; commit it with them", file=sys.stderr)
    for _ in range(3):
        given, before = _given(), LOCK.read_bytes() if LOCK.exists() else None
        source_code.forget()
        with hashes.packed():
            reconcile.record_present()
            seen = ledger.look(settings.load(PARAMS))
            if _settled({job.artifact for job in seen.graph.jobs if job.name not in seen.current}):
                return []
            try:
                ready, left = _commit(seen)
            except FileNotFoundError:  # taken away since it was looked at, by `dvc checkout` for a moment
                continue
        if _given() == given and not _exchanged(seen):  # else DVC may have recorded the edit as what these results were made with
            break
        if before is None:
            LOCK.unlink(missing_ok=True)
        else:
            digest.replace(LOCK, before)
    else:
        raise SnowError("params, code or results change while dvc.lock is written; run `snow commit` when they are left alone")
    digest.replace(STAMP, " ".join([_stamp(given), *left]))
    print(f"snow commit: dvc.lock holds {len(ready)} of {len(ready) + len(left)} artifacts", file=sys.stderr)
    _explain(seen, left)
    return ready


def _exchanged(seen: Ledger) -> bool:
    """Whether a file is not what was looked at."""
    now = hashes.contents(Path(path) for path in seen.present)
    return any(content != seen.present[str(path)] for path, content in now.items())


def _commit(seen: Ledger) -> tuple[list[str], list[str]]:
    """Names of the DVC stages that were committed and of those that were not."""
    from snow.caching import dvc_repo

    current, store = seen.current, open_store()
    unfinished = {job.artifact for job in seen.graph.jobs if job.name not in current}
    # DVC names hashes in dvc.lock whose objects a full cache did not take.
    uncached = {job.artifact for job in seen.graph.jobs if job.artifact not in unfinished and not _cached(job, seen, store)}
    if uncached:
        print(f"snow commit: the cache lacks what {', '.join(sorted(uncached))} made; see above for what it said", file=sys.stderr)
    unfinished |= uncached
    strange = {place: path for path in strays.found(seen.graph) for place in (path, *path.parents)}
    ready, left = [], []
    with dvc_repo.project() as project:
        for stage in project.stages():
            artifact = stage.cmd.removeprefix("snakemake ")
            finished = artifact in seen.graph.artifacts and artifact not in unfinished
            beside = next((strange[Path(out)] for out in stage.outs if Path(out) in strange), None)
            if finished and beside:
                print(f"snow commit: {stage.name} stays as dvc.lock has it, {beside} is of no job that {PARAMS} declares", file=sys.stderr)
            (ready if finished and not beside else left).append(stage.name)
        known = {Path(path): content for path, content in seen.present.items() if content is not None}
        project.commit(ready, known)
    if store is not None:
        locked.mend_listings(store)  # what it names only now, DVC takes for stored when an object of that name is there
    return ready, left


def _cached(job: Job, seen: Ledger, store: Store | None) -> bool:
    contents = [seen.present[file] for file in job.files]
    return store is None or all(content is not None and store.holds(content) for content in contents)


def _explain(seen: Ledger, left: list[str]) -> None:
    """Why dvc.lock does not follow a run whose params are not those of params.yaml; what is merely not made yet needs no word."""
    run = os.environ.get("SNOW_PARAMS")
    if not left or not run or settings.read(Path(run)) == settings.read(PARAMS):
        return
    params = {cause.what: why.sentence(cause) for verdict in seen.verdicts.values() for cause in verdict.causes if cause.kind == "param"}
    if params:
        shown = "; ".join(list(params.values())[:3]) + (" ..." if len(params) > 3 else "")
        print(
            f"snow commit: dvc.lock keeps the entries it had of what was made with other params than params.yaml has ({shown}): "
            f"{', '.join(left)}; what is to be committed must be said there",
            file=sys.stderr,
        )


def due() -> bool:
    """Whether dvc.lock may have to be written."""
    return Path(".dvc").is_dir() and Path("dvc.yaml").exists() and not _settled()


def _settled(unfinished: Collection[str] = ()) -> bool:
    """Whether nothing that dvc.lock is made from changed since it was written here, what was left out of it then is still
    `unfinished` (what lies outside the repository, or was missing, may have come back), and the cache has what it names."""
    stamp, *left = (STAMP.read_text() if STAMP.exists() else "").split() or [""]
    store = open_store()
    return stamp == _stamp(_given()) and {*left} <= {*unfinished} and not (store and locked.uncached(store))


def _stamp(given: str) -> str:
    """A digest of what dvc.lock is computed from, and of dvc.lock."""
    return digest.sha256(f"{given} {digest.file_md5(LOCK) if LOCK.exists() else ''}")


def _given() -> str:
    """A digest of every file dvc.lock is computed from."""
    files = [Path(name) for name in ("dvc.yaml", "params.yaml", ".dvcignore")]
    files += sorted(Path("envs").glob("*.txt")) + sorted(source_code.PACKAGE.rglob("*.py")) + sorted(ledger.RECEIPTS.rglob("*.json"))
    contents = hashes.contents(files)
    pairs = [f"{os.path.relpath(file)} {known.md5}" for file in files if (known := contents[file]) is not None]  # a clone can be moved
    return digest.sha256("\n".join(pairs))

"""`snow gc`: cached objects that no workspace and no named commit needs, shown first, removed only when asked.

Which objects are needed is DVC's own answer (`dvc gc`), for this clone and every other one that uses the same cache, and what their
receipts name: the results of a run under an overlay, of a part, or of one that was killed, which no dvc.lock has. Job records of the
run-cache whose objects are gone are useless and could only mislead, so they go too.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence, Set
from pathlib import Path
from typing import IO

from snow import job
from snow.caching import clones, ledger, reconcile, records
from snow.caching.clones import Clone
from snow.caching.store import Store, configured, open_store
from snow.errors import SnowError


def run(revision: str | None, all_commits: bool, remove: bool, forget: Collection[str] = ()) -> int:
    """Show, or with `remove` delete, what neither the workspaces nor the kept commits need; the clones at the paths `forget` are gone.

    Raises SnowError, with nothing removed, when a clone that uses this cache cannot be seen from here or a run is going on in one.
    """
    store = open_store()
    if store is None:
        raise SnowError("this is not a DVC repository; run `snow gc` in the root of a clone")
    others, unseen = _other_clones(store)
    _forget(unseen, others, forget)
    unseen = [clone for clone in unseen if str(clone.path) not in forget]
    if remove and unseen:
        raise SnowError(f"{_unseen(unseen)}; run `snow gc` where it can be seen, or say `--forget {unseen[0].path}` if it is gone")
    with contextlib.ExitStack() as held:
        for clone in [Path.cwd(), *others] if remove else ():
            held.enter_context(idle(clone))
        unneeded = _unneeded(store, revision, all_commits, others)
        made = unneeded & _made(store, [Path.cwd(), *others])
        going = sorted(unneeded - made, key=lambda path: (path.suffix != ".dir", path))  # a listing before what it lists
        freed = sum(path.stat().st_size for path in going if path.exists())
        if remove:
            _unlink(going)
        dead = dead_records(store, set(going))
        if remove:
            _unlink(dead)
    print(f"{len(going)} objects ({freed / 1e9:,.3f} GB) {'were' if remove else 'would be'} removed")
    if made:
        print(f"{len(made)} objects that no dvc.lock names were kept: they are of results that lie in a workspace")
    print(f"{len(dead)} job records whose objects {'are gone were removed' if remove else 'would be gone would be removed'}")
    if others:
        print(f"what {len(others)} other clones need was kept: {', '.join(map(str, others))}")
    if not remove:
        print(f"nothing was removed; {_unseen(unseen) if unseen else '`snow gc --remove` does it'}")
    return 0


def _other_clones(store: Store) -> tuple[list[Path], list[Clone]]:
    """The other clones that use this cache, and those that cannot be seen from here. One that is here and uses another cache now is
    struck off."""
    others, unseen = [], []
    for clone in clones.registered(store.root):
        try:
            here = clone.path.is_dir()
            found = configured(clone.path) if here else None
        except OSError:  # of another user, who lets nobody look
            here, found = False, None
        if found is not None and found.root.resolve() == store.root.resolve():
            others += [clone.path] if clone.path != Path.cwd().resolve() else []
        elif here and clone.host == os.uname().nodename:
            clone.entry.unlink(missing_ok=True)
        else:  # gone, or what lies there on this host is not what lies there on the other
            unseen.append(clone)
    return others, unseen


def _forget(unseen: Sequence[Clone], others: Sequence[Path], paths: Collection[str]) -> None:
    for path in paths:
        entries = [clone.entry for clone in unseen if str(clone.path) == path]
        if not entries:
            known = ", ".join(str(clone.path) for clone in unseen) or "none"
            reason = "is there and uses this cache" if Path(path) in others else "is not entered as a clone that uses this cache"
            raise SnowError(f"--forget {path}: {path} {reason}; clones that cannot be seen from here: {known}")
        for entry in entries:
            entry.unlink(missing_ok=True)


def _unseen(unseen: Sequence[Clone]) -> str:
    first, more = unseen[0], f" and {len(unseen) - 1} more" if len(unseen) > 1 else ""
    return f"the clone at {first.path} (seen on {first.host}){more} uses this cache and cannot be seen from here, nor what it needs"


@contextlib.contextmanager
def idle(path: Path) -> Iterator[None]:
    """Within, a run that begins in the clone waits. Raises SnowError when one is going on there, or a job that outlived its run."""
    busy = SnowError(
        f"a run is going on in the clone at {path}, and what it has made so far is named by no dvc.lock yet; wait for it to end"
    )
    with contextlib.ExitStack() as held:
        if (path / reconcile.LOCK).exists():  # else nothing ever ran there
            try:
                lock = reconcile.hold_lock(root=path)
            except PermissionError:  # of another user
                lock = _hold(path / reconcile.LOCK)
            if lock is None:
                raise busy
            held.enter_context(lock)
        for job_lock in (path / job.STAGING).glob("*.lock"):
            with contextlib.suppress(FileNotFoundError):  # it has just ended
                lock = _hold(job_lock)
                if lock is None:
                    raise busy
                held.enter_context(lock)
        yield


def _hold(path: Path) -> IO[str] | None:
    """A lock, without a word in it; None while anybody holds it. Raises SnowError when this user may not have it."""
    try:
        handle = open(path, "r+" if os.access(path, os.W_OK) else "r")  # noqa: SIM115 - the caller closes it
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        raise
    except BlockingIOError:
        return None
    except OSError as error:
        raise SnowError(
            f"nobody can say whether a run is going on in that clone: {path} may not be locked ({error.strerror}); ask its owner to run "
            "`snow gc`"
        ) from None
    return handle


def _unneeded(store: Store, revision: str | None, all_commits: bool, others: Sequence[Path]) -> set[Path]:
    """The objects that a dry `dvc gc` would remove, each of which it says in a line."""
    keep = ["--all-commits"] if all_commits else ["--rev", revision] if revision else []
    projects = ["--projects", *map(str, others)] if others else []
    command = [str(Path(sys.executable).with_name("dvc")), "gc", "--workspace", *projects, *keep, "--force", "--dry"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        why = " ".join(done.stderr.split())
        hint = "; the other clones need that commit too: `git fetch` there, or keep all commits" if revision and others else ""
        raise SnowError(f"dvc gc failed and removed nothing: {why}{hint}")
    lines = (line.partition(f"{store.root.resolve()}{os.sep}") for line in (done.stdout + done.stderr).splitlines())
    return {store.root / path.strip() for _, found, path in lines if found}


def _made(store: Store, places: Sequence[Path]) -> set[Path]:
    """The objects of what receipts in clones name, and of the receipts themselves, whatever version of the code has written them."""
    found = set()
    for path in (path for clone in places for path in (clone / ledger.RECEIPTS).rglob("*.json")):
        try:
            text = path.read_bytes()
            outputs = [md5 for _, md5 in json.loads(text)["outputs"].values()]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):  # a link to nothing, or no receipt
            continue
        for md5 in (hashlib.md5(text).hexdigest(), *outputs):
            known = store.describe(md5)
            found |= {store.object_path(md5), *(store.objects(known) if known is not None else ())}
    return found


def _unlink(paths: Sequence[Path]) -> None:
    for number, path in enumerate(paths):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            done = f"{number} of {len(paths)} files of the cache were removed"
            raise SnowError(f"{path} cannot be removed ({error.strerror}), {done}; ask its owner to run `snow gc`") from None


def dead_records(store: Store, going: Set[Path]) -> list[Path]:
    """Run-cache records, ours and DVC's, of which some output's object is missing or `going` to be."""
    found = []
    for name, outs in records.every(store):
        contents = [None] if outs is None else [store.describe(out["md5"], out.get("size")) for out in outs]
        if not all(known is not None and store.holds(known) and going.isdisjoint(store.objects(known)) for known in contents):
            found.append(store.root / "runs" / name)
    return found

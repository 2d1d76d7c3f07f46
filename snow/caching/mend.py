"""`snow mend`: what is missing or damaged on a DVC remote is uploaded from this cache.

`dvc push` asks a remote only whether an object exists, of folders it has pushed not even that, and `dvc pull` believes what it gets.
So an upload that was cut short reaches every clone and stays. Here every object is looked at: its size, or all of its bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from snow.caching import dvc_repo, records
from snow.caching.dvc_repo import Remote
from snow.caching.store import Store, listed, open_store
from snow.errors import SnowError

WORKERS = 16  # requests at a time; a remote answers in tens of milliseconds
SHOWN = 20  # objects named; of a lost remote there are thousands

Output = tuple[str, str, int | None]  # path, md5, bytes


@dataclass
class Needed:
    """What a remote should have: by md5 of the object its name in the workspace and its bytes, where anybody says them; by md5 of a
    folder its bytes and the objects of its files."""

    names: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int | None] = field(default_factory=dict)
    folders: dict[str, tuple[int | None, tuple[str, ...]]] = field(default_factory=dict)

    def behind(self, md5: str) -> tuple[str, ...]:
        """The objects of an output: the file, or the listing and its files."""
        return (md5, *self.folders.get(md5, (None, ()))[1])


def run(name: str | None, run_cache: bool, verify: bool) -> int:
    """Compare, upload, and print what was found. 0 when the remote is whole now, 1 when something remains. Raises SnowError when it
    cannot be reached."""
    store = open_store()
    if store is None:
        raise SnowError("this is not a DVC repository; run `snow mend` in the root of a clone")
    kept = [(path, outs) for path, outs in records.every(store) if outs is not None] if run_cache else []
    outputs = dvc_repo.cached_outputs() + [(out["path"], out["md5"], out.get("size")) for _, outs in kept for out in outs]
    with dvc_repo.remote(name) as remote, ThreadPoolExecutor(WORKERS) as pool:
        needed = _needed(store, remote, outputs)
        faults = _faults(remote, needed, verify, pool)
        done = dict(zip(faults, pool.map(partial(_upload, store, remote), faults), strict=True))
        remaining = {md5: fault for md5, fault in faults.items() if not done[md5]}
        whole = [path for path, outs in kept if remaining.keys().isdisjoint(md5 for out in outs for md5 in needed.behind(out["md5"]))]
        recorded = sum(pool.map(partial(_upload_record, store, remote), whole))
    for md5 in [md5 for md5 in faults if done[md5]][:SHOWN]:
        print(f"{needed.names[md5]} was {faults[md5]} on {remote.name}; uploaded")
    for md5, fault in list(remaining.items())[:SHOWN]:
        print(
            f"{needed.names[md5]} is {fault} on {remote.name}, and this cache does not have it whole ({md5}); run `snow mend` in a clone "
            f"that has it, or make it again here and then run it"
        )
    records_too = f" and {recorded} of {len(kept)} job records" if run_cache else ""
    print(
        f"{remote.name}: {len(needed.names)} objects looked at, {sum(done.values())} uploaded{records_too}, {len(remaining)} still missing "
        "or damaged"
    )
    return 1 if remaining else 0


def _needed(store: Store, remote: Remote, outputs: Iterable[Output]) -> Needed:
    found = Needed()
    for name, md5, size in outputs:
        found.names.setdefault(md5, name)
        if not md5.endswith(".dir"):
            found.sizes[md5] = size if size is not None else found.sizes.get(md5)
        elif md5 not in found.folders:
            listing = _listing(store, remote, md5)
            files = listed(listing) if listing is not None else ()
            found.sizes[md5] = len(listing) if listing is not None else None
            found.folders[md5] = (size, tuple(file_md5 for _, file_md5 in files))
            for path, file_md5 in files:
                found.names.setdefault(file_md5, f"{name}/{path}")
                found.sizes.setdefault(file_md5, store.size(file_md5))
    return found


def _listing(store: Store, remote: Remote, md5: str) -> bytes | None:
    """A folder's listing, from here or from there; None when neither has it whole."""
    if store.sound(md5):
        return store.object_path(md5).read_bytes()
    path = remote.object(md5)
    found = b"".join(remote.chunks(path)) if remote.size(path) is not None else b""
    return found if _md5([found]) == md5.removesuffix(".dir") else None


def _faults(remote: Remote, needed: Needed, verify: bool, pool: ThreadPoolExecutor) -> dict[str, str]:
    """`missing` or `damaged` by md5. A size that is not what it should be is a suspicion only: it may be this cache that is damaged."""
    there = dict(zip(needed.names, pool.map(lambda md5: remote.size(remote.object(md5)), needed.names), strict=True))
    suspects = {md5 for md5, size in there.items() if verify or needed.sizes[md5] not in (None, size)} | _of_wrong_folders(needed, there)
    suspects = {md5 for md5 in suspects if there[md5] is not None}
    whole = dict(
        zip(suspects, pool.map(lambda md5: _md5(remote.chunks(remote.object(md5))) == md5.removesuffix(".dir"), suspects), strict=True)
    )
    return {md5: "missing" if there[md5] is None else "damaged" for md5 in there if there[md5] is None or not whole.get(md5, True)}


def _of_wrong_folders(needed: Needed, there: Mapping[str, int | None]) -> set[str]:
    """Files of which this clone does not know the size, of folders that do not have theirs on the remote."""
    found: set[str] = set()
    for size, files in needed.folders.values():
        if size not in (None, sum(there[md5] or 0 for md5 in files)):
            found |= {md5 for md5 in files if needed.sizes[md5] is None}
    return found


def _md5(chunks: Iterable[bytes]) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def _upload(store: Store, remote: Remote, md5: str) -> bool:
    """Put the object there if this cache has it whole; every byte is read to know that."""
    if not store.sound(md5, afresh=True):
        return False
    remote.put(remote.object(md5), store.object_path(md5))
    return True


def _upload_record(store: Store, remote: Remote, name: str) -> bool:
    """Put a job record there unless it is there in its size."""
    local, path = store.root / "runs" / name, remote.record(name)
    if remote.size(path) == local.stat().st_size:
        return False
    remote.put(path, local)
    return True

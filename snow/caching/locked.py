"""What dvc.lock names, read without DVC: results that a commit stands for although they do not lie in the workspace.

DVC deletes a stage's outputs before it runs the stage, and checks out nothing when one object is missing. In both cases the receipts
and outputs are in the cache all the same, under the hashes dvc.lock gives.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from snow.caching import hashes, ledger, preflight, records
from snow.caching.store import Store


def outputs(store: Store) -> dict[str, str]:
    """The md5 of every output dvc.lock names by path, files of folders too as far as the cache has their listings; empty without one."""
    named: dict[str, str] = {}
    for out, md5 in _outs():
        named[out] = md5
        folder = store.describe(md5, 0) if md5.endswith(".dir") else None
        named |= {f"{out}/{name}": file_md5 for name, file_md5 in (folder.files or () if folder else ())}
    return named


def mend_listings(store: Store) -> None:
    """Replace damaged listings of folders that dvc.lock names, from the folders where they are as it names them: DVC reads a listing
    without looking at its hash, and none of its commands works beside a damaged one."""
    for out, md5 in _outs():
        if md5.endswith(".dir"):
            _mend_listing(store, Path(out), md5)


def mend_listings_to_come(store: Store) -> None:
    """The same for the folders that lie there, before DVC records some of them: it takes an object of that name for stored."""
    for folder in preflight.output_folders():
        _mend_listing(store, folder, hashes.content(folder).md5)


def _mend_listing(store: Store, path: Path, md5: str) -> None:
    if store.size(md5) is None or store.sound(md5) or not path.is_dir():
        return
    known = hashes.content(path)
    if known.md5 == md5:
        with contextlib.suppress(OSError):  # a full cache; DVC then says what it lacks
            store.add(path, known)


def adopt(store: Store, recorded: Mapping[str, str]) -> None:
    """Job records from the receipts dvc.lock names, for those whose outputs the cache holds; `recorded` are receipts (path to md5)
    that are on record already."""
    for receipt, content in _receipts(store, recorded):
        found = {Path(path): store.describe(md5) for path, md5 in receipt.outputs.items()}
        known = {path: content for path, content in found.items() if content is not None}
        if len(known) == len(found):
            try:
                records.note(store, receipt, known | {receipt.path: content})
            except OSError as error:
                print(f"snow: the results of {receipt.name} are in the cache without a record: {store.refusal(error)}", file=sys.stderr)
                return


def lost(store: Store, missing: Iterable[str]) -> list[str]:
    """Those of some missing outputs that dvc.lock names and the cache does not hold; of a folder whose listing is lost too, the folder."""
    named = outputs(store)
    around = {path: next((folder for folder in (path, *map(str, Path(path).parents)) if folder in named), None) for path in missing}
    return sorted({found for found in around.values() if found is not None and store.describe(named[found]) is None})


def put_back(store: Store, stage: str) -> None:
    """Check out what dvc.lock names of a stage and is not here, as far as the cache has it."""
    for out, md5 in _outs(stage):
        known = None if Path(out).exists() else store.describe(md5)
        if known is not None:
            store.check_out(known, Path(out))


def uncached(store: Store) -> bool:
    """Whether the cache lacks some of what dvc.lock names and lies here as it says: DVC calls that changed."""
    lacking = ((Path(out), md5) for out, md5 in _outs() if store.describe(md5) is None)
    return any(path.exists() and hashes.content(path).md5 == md5 for path, md5 in lacking)


def _receipts(store: Store, recorded: Mapping[str, str]) -> Iterator[tuple[ledger.Receipt, hashes.Content]]:
    for path, md5 in outputs(store).items():
        if not path.startswith(f"{ledger.RECEIPTS}/") or md5.endswith(".dir") or recorded.get(path) == md5:
            continue
        content = store.describe(md5)
        receipt = ledger.parse(store.object_path(md5).read_bytes(), Path(path)) if content else None
        if receipt is not None and content is not None:
            yield receipt, content


def _outs(of: str | None = None) -> list[tuple[str, str]]:
    """Path and md5 of every output in dvc.lock, or of one stage's; none without one, nor of an entry that a killed DVC cut off before
    its md5."""
    told = preflight.read(preflight.LOCK) if preflight.LOCK.exists() else None
    stages = [stage for name, stage in ((told or {}).get("stages") or {}).items() if of in (None, name)]
    return [(out["path"], out["md5"]) for stage in stages for out in stage.get("outs", ()) if out.get("md5")]

"""One record per finished job in DVC's run-cache, in DVC's format, so that `dvc push --run-cache` and `pull` carry it.

A record is a lock-file entry (`cmd`, `deps`, `params`, `outs`) under `runs/KK/KEY/VALUE` of the cache directory, KEY hashing
everything but the outputs' contents and VALUE hashing all of it, as DVC 3.67's `dvc/stage/cache.py` does; a test holds ours
against DVC's. It is written whole and renamed, so readers on any host see it complete or not at all.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from snow import digest
from snow.caching import hashes, ledger
from snow.caching.store import Store

SPEC = "snow-key"  # stands where DVC names a params file


def entry(stage: str, instance: str, key: str, inputs: Mapping[Path, str], outputs: Mapping[Path, hashes.Content | None]) -> dict[str, Any]:
    """A job as a lock-file entry over its inputs' hashes; an output whose content is not known yet is listed by path alone."""
    record: dict[str, Any] = {"cmd": f"snow {stage} {instance}"}
    if inputs:
        record["deps"] = [{"path": path.as_posix(), "hash": "md5", "md5": md5} for path, md5 in sorted(inputs.items())]
    record["params"] = {SPEC: {"key": key}}
    record["outs"] = [_item(path, known) for path, known in sorted(outputs.items())]
    return record


def _item(path: Path, known: hashes.Content | None) -> dict[str, Any]:
    item: dict[str, Any] = {"path": path.as_posix()}
    if known is not None:
        item |= {"hash": "md5", "md5": known.md5, "size": known.size}
        if known.files is not None:
            item["nfiles"] = len(known.files)
    return item


def _hash(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(_without_sizes(record), sort_keys=True).encode()).hexdigest()


def _without_sizes(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_sizes(item) for item in value]
    if isinstance(value, Mapping):
        return {name: _without_sizes(item) for name, item in value.items() if name not in ("size", "nfiles")}
    return value


def key_of(record: Mapping[str, Any]) -> str:
    """DVC's run-cache key: the entry with its outputs reduced to their paths."""
    return _hash({**record, "outs": [out["path"] for out in record["outs"]]})


def folder(store: Store, record: Mapping[str, Any]) -> Path:
    """Where the records of a job lie."""
    key = key_of(record)
    return store.root / "runs" / key[:2] / key


def save(store: Store, record: Mapping[str, Any]) -> None:
    """Write a finished job's record. Raises OSError when the cache cannot take it."""
    path = folder(store, record) / _hash(record)
    digest.replace(path, json.dumps(record, indent=1) + "\n")  # JSON is YAML


def load(store: Store, record: Mapping[str, Any]) -> dict[str, hashes.Content] | None:
    """The outputs `{path: content}` an earlier run of the same job left, or None; an entry whose objects are gone does not count."""
    for path in _newest_first(folder(store, record)):
        try:
            outs = json.loads(path.read_text())["outs"]
            found = {out["path"]: store.describe(out["md5"], out["size"]) for out in outs}
        except (ValueError, KeyError, TypeError, OSError):
            continue  # not ours, torn by a crashed machine, not readable by this user, or removed just now
        if all(known is not None and store.holds(known) for known in found.values()):
            return {path: known for path, known in found.items() if known is not None}
    return None


def _newest_first(place: Path) -> list[Path]:
    """The records in a job's folder; none where it does not exist or this user may not look."""
    try:
        with os.scandir(place) as entries:
            found = [(entry.stat().st_mtime_ns, entry.name) for entry in entries if not entry.name.startswith(".") and entry.is_file()]
    except OSError:
        return []
    return [place / name for _, name in sorted(found, reverse=True)]


def every(store: Store) -> Iterator[tuple[str, list[dict[str, Any]] | None]]:
    """Every record of the cache, ours and DVC's: its path under `runs`, and the outputs that have a hash; None for one that cannot be
    read."""
    runs = store.root / "runs"
    for path in sorted(runs.glob("*/*/[0-9a-f]*")):
        try:
            outs = [
                {**out, "md5": str(out["md5"]), "path": str(out["path"])}
                for out in yaml.safe_load(path.read_text())["outs"]
                if "md5" in out
            ]
        except (yaml.YAMLError, KeyError, TypeError, OSError, UnicodeDecodeError):
            outs = None
        yield path.relative_to(runs).as_posix(), outs


def adopt(store: Store, receipts: Iterable[ledger.Receipt], present: Mapping[Path, hashes.Content | None]) -> dict[str, str]:
    """Into the cache, with a record, goes what finished jobs left in place and what is not there: it came with a pull or a checkout,
    the cache was full when it was made, or was damaged since. Returns the receipts (path to md5) of those that are on record now.

    Without that a clone that pulled artifacts but no run-cache would compute again what a changed neighbour makes it ask for. A
    cache that still takes nothing is one sentence, not an error: the results are in place.
    """
    on_record, missing = {}, []
    for receipt in receipts:
        made = {path: content for path in (*map(Path, receipt.outputs), receipt.path) if (content := present[path]) is not None}
        if len(made) <= len(receipt.outputs) or any(made[Path(path)].md5 != md5 for path, md5 in receipt.outputs.items()):
            continue
        if _newest_first(folder(store, _of(receipt, made))) and all(map(store.holds, made.values())):
            on_record[receipt.path.as_posix()] = made[receipt.path].md5
        else:
            missing.append((receipt, made))
    for number, (receipt, made) in enumerate(missing):
        try:
            for path, content in made.items():
                store.add(path, content)
            note(store, receipt, made)
        except OSError as error:
            jobs = (
                f"the results of {len(missing) - number} finished jobs" if len(missing) > number + 1 else f"the results of {receipt.name}"
            )
            print(f"snow: {jobs} are in place, but {store.refusal(error)}", file=sys.stderr)
            break
        on_record[receipt.path.as_posix()] = made[receipt.path].md5
    return on_record


def note(store: Store, receipt: ledger.Receipt, made: Mapping[Path, hashes.Content]) -> None:
    """The record of a finished job whose outputs and receipt the cache holds, unless there is one. Raises OSError as `save` does."""
    record = _of(receipt, made)
    if not _newest_first(folder(store, record)):
        save(store, record)


def _of(receipt: ledger.Receipt, made: Mapping[Path, hashes.Content | None]) -> dict[str, Any]:
    return entry(receipt.stage.name, receipt.instance, receipt.key, {Path(path): md5 for path, md5 in receipt.read.items()}, made)

"""Content hashes, spelled as DVC spells them: MD5 of a file's bytes, and for a folder the MD5 of its `.dir` listing."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

CHUNK = 1 << 20
UNTRACKED = {".snakemake_timestamp"}  # Snakemake drops it into every directory() output; .dvcignore hides it from DVC too


def file_md5(path: Path) -> str:
    """MD5 of a file's bytes in hex."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def tree_entries(path: Path) -> list[dict[str, str]]:
    """DVC's listing of a folder: one `{"md5", "relpath"}` per file, sorted by relative path."""
    files = [file for file in path.rglob("*") if file.is_file() and file.name not in UNTRACKED]
    entries = [{"md5": file_md5(file), "relpath": file.relative_to(path).as_posix()} for file in files]
    return sorted(entries, key=lambda entry: entry["relpath"])


def content_hash(path: Path) -> str:
    """What DVC records as `md5` of a file or folder; a folder's ends in `.dir`."""
    if not path.is_dir():
        return file_md5(path)
    listing = json.dumps(tree_entries(path), sort_keys=True)
    return hashlib.md5(listing.encode(), usedforsecurity=False).hexdigest() + ".dir"


def canonical(value: Any) -> str:
    """Canonical JSON; a value JSON cannot hold exactly (a set, NaN, an object) is a TypeError or ValueError, not a guess."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha256(text: str) -> str:
    """SHA-256 of a text's UTF-8 bytes in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def fsync_tree(path: Path) -> None:
    """Flush a file, or a folder and everything in it, to disk."""
    for entry in [path, *path.rglob("*")] if path.is_dir() else [path]:
        descriptor = os.open(entry, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

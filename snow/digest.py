"""Hashes and durability of single values and files; `snow.caching.hashes` has the contents of files and folders."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from pathlib import Path
from typing import Any


def file_md5(path: Path) -> str:
    """MD5 of a file's bytes in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, functools.partial(hashlib.md5, usedforsecurity=False)).hexdigest()


def canonical(value: Any) -> str:
    """Canonical JSON; a value JSON cannot hold exactly (a set, NaN, an object) is a TypeError or ValueError, not a guess."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha256(text: str) -> str:
    """SHA-256 of a text's UTF-8 bytes in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def replace(path: Path, content: str | bytes) -> None:
    """Make this the content of a file, whole or not at all: whoever reads it meanwhile, or after a crash, finds the old or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        staged.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(staged, path)
    except BaseException:
        staged.unlink(missing_ok=True)
        raise


def fsync_tree(path: Path) -> None:
    """Flush a file, or a folder and everything in it, to disk."""
    for entry in [path, *path.rglob("*")] if path.is_dir() else [path]:
        fsync(entry)


def fsync(path: Path) -> None:
    """Flush one file, or the names in one folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

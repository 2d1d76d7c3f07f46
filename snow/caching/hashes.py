"""Content hashes of files and folders, spelled as DVC spells them, each byte read at most once per state of a file.

A file's MD5 is remembered under `.snow/hashes/` together with its size, modification time and inode; a lookup whose numbers
match costs one small read. One file per path, replaced atomically, so parallel jobs on several hosts need no lock.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from snow import digest

MEMO = Path(".snow/hashes")
UNTRACKED = {".snakemake_timestamp"}  # Snakemake drops it into every directory() output; .dvcignore hides it from DVC too


@dataclass(frozen=True)
class Content:
    """What a path holds: `md5` as DVC records it (a folder's ends in `.dir`), bytes, and for a folder its (path, md5) files."""

    md5: str
    size: int
    files: tuple[tuple[str, str], ...] | None = None

    @property
    def listing(self) -> bytes:
        """DVC's `.dir` object of a folder; ValueError for a file."""
        if self.files is None:
            raise ValueError("a file has no listing")
        return listing(self.files)


def listing(files: Iterable[tuple[str, str]]) -> bytes:
    """The bytes of DVC's `.dir` object over (relative path, md5) pairs."""
    return json.dumps([{"md5": md5, "relpath": path} for path, md5 in sorted(files)], sort_keys=True).encode()


def content(path: Path) -> Content:
    """The content of a file or folder; FileNotFoundError when it is missing. Folders are hashed file by file in parallel."""
    if not path.is_dir():
        status = path.stat()
        return Content(_file_md5(path), status.st_size)
    files = sorted(file for file in path.rglob("*") if file.is_file() and file.name not in UNTRACKED)
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # hashlib releases the interpreter lock
        digests = list(pool.map(_file_md5, files))
    pairs = tuple(sorted((file.relative_to(path).as_posix(), md5) for file, md5 in zip(files, digests, strict=True)))
    whole = hashlib.md5(listing(pairs), usedforsecurity=False).hexdigest() + ".dir"
    return Content(whole, sum(file.stat().st_size for file in files), pairs)


def contents(paths: Iterable[Path]) -> dict[Path, Content | None]:
    """The content of many paths, hashed in parallel; None for a missing one."""

    def one(path: Path) -> Content | None:
        return content(path) if path.exists() else None

    unique = list(dict.fromkeys(paths))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(unique, pool.map(one, unique), strict=True))


def remember(path: Path, md5: str) -> None:
    """Record the hash of a file that is already known, so that nobody reads it again."""
    status = path.stat()
    memo = _memo(path)
    memo.parent.mkdir(parents=True, exist_ok=True)
    staged = memo.with_name(f"{memo.name}.{os.getpid()}.{os.urandom(4).hex()}")
    staged.write_text(f"{md5} {status.st_size} {status.st_mtime_ns} {status.st_ino}")
    os.replace(staged, memo)


def remember_content(path: Path, known: Content) -> None:
    """Record the hashes of a file, or of every file of a folder."""
    if known.files is None:
        remember(path, known.md5)
        return
    for name, md5 in known.files:
        remember(path / name, md5)


def _file_md5(path: Path) -> str:
    status = path.stat()
    try:
        md5, *numbers = _memo(path).read_text().split()
        if numbers == [str(status.st_size), str(status.st_mtime_ns), str(status.st_ino)]:
            return md5
    except (FileNotFoundError, ValueError):
        pass  # never hashed, or a torn memo of a crashed machine: hash it
    md5 = digest.file_md5(path)
    after = path.stat()
    if (after.st_mtime_ns, after.st_size) == (status.st_mtime_ns, status.st_size):
        remember(path, md5)
    return md5


def _memo(path: Path) -> Path:
    name = hashlib.blake2b(os.fsencode(path), digest_size=16).hexdigest()
    return MEMO / name[:2] / name

"""Content hashes of files and folders, spelled as DVC spells them, each byte read at most once per state of a file.

A file's MD5 is remembered under `.snow/hashes/` together with its size, modification time and inode; a lookup whose numbers
match costs one small read. One file per path, replaced atomically, so parallel jobs on several hosts need no lock.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
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
    """The content of a file or folder; FileNotFoundError when it is missing."""
    if not path.is_dir():
        status = path.stat()
        return Content(_file_md5(path), status.st_size)
    files = [file for file in path.rglob("*") if file.is_file() and file.name not in UNTRACKED]
    known = {file.relative_to(path).as_posix(): found for file, found in contents(files).items() if found is not None}
    pairs = tuple(sorted((name, found.md5) for name, found in known.items()))
    whole = hashlib.md5(listing(pairs), usedforsecurity=False).hexdigest() + ".dir"
    return Content(whole, sum(found.size for found in known.values()), pairs)


def contents(paths: Iterable[Path]) -> dict[Path, Content | None]:
    """The content of many paths; None for a missing one. What is not remembered is hashed in parallel."""
    found: dict[Path, Content | None] = dict.fromkeys(paths)
    unknown = []
    for path in found:
        try:
            status = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        md5 = None if stat.S_ISDIR(status.st_mode) else _recall(_memo(path), status)
        if md5 is None:
            unknown.append(path)
        else:
            found[path] = Content(md5, status.st_size)
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # hashlib releases the interpreter lock
        found.update(zip(unknown, pool.map(content, unknown), strict=True))
    return found


def remember(path: Path, md5: str) -> None:
    """Record the hash of a file that is already known, so that nobody reads it again."""
    memo = _memo(path)
    staged = f"{memo}.{os.getpid()}.{os.urandom(4).hex()}"
    text = md5.encode() + b" " + _state(os.stat(path))
    try:
        descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(memo), exist_ok=True)
        descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        os.write(descriptor, text)
    finally:
        os.close(descriptor)
    os.replace(staged, memo)


def remember_content(path: Path, known: Content) -> None:
    """Record the hashes of a file, or of every file of a folder."""
    if known.files is None:
        remember(path, known.md5)
        return
    for name, md5 in known.files:
        remember(path / name, md5)


def _file_md5(path: Path) -> str:
    status = os.stat(path)
    known = _recall(_memo(path), status)
    if known is not None:
        return known
    md5 = digest.file_md5(path)
    after = os.stat(path)
    if (after.st_mtime_ns, after.st_size) == (status.st_mtime_ns, status.st_size):
        remember(path, md5)
    return md5


def _recall(memo: str, status: os.stat_result) -> str | None:
    """The remembered hash of a file in that state, or None; a torn memo of a crashed machine is as good as none."""
    try:
        descriptor = os.open(memo, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        md5, _, numbers = os.read(descriptor, 200).partition(b" ")
    finally:
        os.close(descriptor)
    return md5.decode() if numbers == _state(status) else None


def _state(status: os.stat_result) -> bytes:
    return b"%d %d %d" % (status.st_size, status.st_mtime_ns, status.st_ino)


def _memo(path: Path) -> str:
    name = hashlib.blake2b(os.fsencode(path), digest_size=16).hexdigest()
    return f"{MEMO}/{name[:2]}/{name}"

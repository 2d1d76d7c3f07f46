"""The contents of source folders, each byte read once per state of its file, and nothing but the folders where all is as it was.

A folder's digest is remembered under `.snow/trees/` with the size, times, mode and inode of every file below, in one file per folder:
millions of source files cost their listing at the start of a run, and no memory.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from snow import digest

MEMO = Path(".snow/trees")
_VERSION_CONTROL = (".git", ".hg", ".svn")

Listing = dict[str, str]  # a regular file's path below the folder: its state


def digests(roots: Iterable[Path]) -> Iterator[str]:
    """A digest per folder, of its readable regular files by path and content; version control and links left out, as collection
    leaves them."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # a file system of the network answers several at once
        yield from pool.map(_digest, roots)


def _digest(root: Path) -> str:
    listing = dict(_list(os.fspath(root)))
    state = hashlib.sha256("".join(f"{path}\0{told}\0" for path, told in listing.items()).encode("utf-8", "surrogateescape")).hexdigest()
    memo = MEMO / hashlib.blake2b(os.fsencode(root), digest_size=16).hexdigest()
    remembered, _, files = _read(memo).partition("\n")
    then, _, value = remembered.partition(" ")
    if then == state and len(value) == len(state):  # not torn by a crashed machine
        return value
    found = _contents(root, listing, files)
    tree = hashlib.sha256()
    for path in sorted(found, key=lambda path: path.split("/")):
        tree.update(os.fsencode(path) + b"\0" + found[path].encode() + b"\0")
    value = tree.hexdigest()
    if dict(_list(os.fspath(root))) == listing:  # else some were written meanwhile
        files = "\0".join(f"{md5} {listing[path]} {path}" for path, md5 in found.items())
        with contextlib.suppress(OSError):  # a full disk: they are read again
            digest.replace(memo, f"{state} {value}\n{files}".encode("utf-8", "surrogateescape"))
    return value


def _list(top: str) -> Iterator[tuple[str, str]]:
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting += [entry.path] if entry.name not in _VERSION_CONTROL else []
                    elif entry.is_file(follow_symlinks=False):
                        status = entry.stat(follow_symlinks=False)
                        yield entry.path[len(top) + 1 :], f"{status.st_size}-{status.st_mtime_ns}-{status.st_ino}-{status.st_mode}"
        except OSError:
            continue  # what cannot be listed, or vanished, is counted when it is collected


def _read(memo: Path) -> str:
    try:
        return memo.read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return ""


def _contents(root: Path, listing: Listing, remembered: str) -> dict[str, str]:
    """The MD5 of each readable file by path, from what is remembered where its state is the same."""
    known = {path: (md5, state) for md5, state, path in (line.split(" ", 2) for line in remembered.split("\0") if line.count(" ") > 1)}
    found = {}
    for path, state in listing.items():
        md5, then = known.get(path, ("", ""))
        try:
            found[path] = md5 if then == state else digest.file_md5(root / path)
        except OSError:
            continue
    return found

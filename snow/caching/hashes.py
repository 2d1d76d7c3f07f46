"""Content hashes of files and folders, spelled as DVC spells them, each byte read at most once per state of a file.

A file's MD5 is remembered under `.snow/hashes/` together with its size, modification time and inode. Jobs write one small file per
path, replaced atomically, so that on any number of hosts they need no lock; the main process, which looks at every file of a
clone at once, writes what it learned into one pack. Whichever of the two has the present numbers is right.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from snow import digest

MEMO = Path(".snow/hashes")
PACK = MEMO / "pack.json"
SMALL = 1 << 17  # bytes; hashed sooner than handed to another thread
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


def visible(path: Path) -> str:
    """The MD5 of a file, or of the names and contents of a folder's files; hidden ones (.git, the records of `hf download`) and
    bytecode left out, links followed. FileNotFoundError when it is missing."""
    if not path.is_dir():
        return content(path).md5
    files, seen = [], set()
    for folder, subfolders, names in os.walk(path, followlinks=True):
        seen.add(os.path.realpath(folder))
        inner = [name for name in subfolders if not name.startswith(".") and name != "__pycache__"]
        subfolders[:] = [name for name in inner if os.path.realpath(os.path.join(folder, name)) not in seen]  # a link to above
        files += [Path(folder, name) for name in names if not name.startswith(".")]
    known = {file.relative_to(path).as_posix(): found for file, found in contents(files).items() if found is not None}
    return hashlib.md5(listing((name, found.md5) for name, found in known.items()), usedforsecurity=False).hexdigest()


def contents(paths: Iterable[Path]) -> dict[Path, Content | None]:
    """The content of many paths; None for a missing one. Large files and folders that are not remembered are hashed in parallel."""
    found: dict[Path, Content | None] = dict.fromkeys(paths)
    large = []
    for path in found:
        try:
            status = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        if stat.S_ISDIR(status.st_mode) or (status.st_size > SMALL and _recall(path, status) is None):
            large.append(path)
        else:
            found[path] = Content(_file_md5(path), status.st_size)
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # hashlib releases the interpreter lock
        found.update(zip(large, pool.map(content, large), strict=True))
    return found


def remember(path: Path, md5: str) -> None:
    """Record the hash of a file that is already known, so that nobody reads it again; where that cannot be written, it is read again."""
    text = f"{md5} {_state(os.stat(path))}"
    if _packing is not None:
        _packing[os.fspath(path)] = text
        return
    memo = _memo(path)
    staged = f"{memo}.{os.getpid()}.{os.urandom(4).hex()}"
    try:
        _write(staged, text)
        os.replace(staged, memo)
    except OSError:  # a full disk; what the hash was needed for may not need any space
        with contextlib.suppress(OSError):
            os.unlink(staged)


def _write(path: str, text: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def packed() -> Iterator[None]:
    """Within, what is remembered goes into the pack, all at the end: in a new clone that is every file. One process at a time."""
    global _packing
    _packing = {}
    try:
        yield
    finally:
        learned, _packing = _packing, None
        if learned:
            digest.replace(PACK, json.dumps(_pack() | learned))
            _pack.cache_clear()


_packing: dict[str, str] | None = None  # path -> hash and state, while `packed` is in force


@functools.cache
def _pack() -> dict[str, str]:
    try:
        return json.loads(PACK.read_bytes())
    except (FileNotFoundError, ValueError):  # none yet, or torn by a crashed machine
        return {}


def remember_content(path: Path, known: Content) -> None:
    """Record the hashes of a file, or of every file of a folder."""
    if known.files is None:
        remember(path, known.md5)
        return
    for name, md5 in known.files:
        remember(path / name, md5)


def _file_md5(path: Path) -> str:
    status = os.stat(path)
    known = _recall(path, status)
    if known is not None:
        return known
    md5 = digest.file_md5(path)
    after = os.stat(path)
    if (after.st_mtime_ns, after.st_size) == (status.st_mtime_ns, status.st_size):
        remember(path, md5)
    return md5


def _recall(path: Path, status: os.stat_result) -> str | None:
    """The remembered hash of a file in that state, or None; a torn memo of a crashed machine is as good as none."""
    state = _state(status)
    for told in (_loose(path), (_packing or {}).get(os.fspath(path)), _pack().get(os.fspath(path))):
        if told is not None:
            md5, _, then = told.partition(" ")
            if then == state:
                return md5
    return None


def _loose(path: Path) -> str | None:
    try:
        descriptor = os.open(_memo(path), os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        return os.read(descriptor, 200).decode()
    finally:
        os.close(descriptor)


def _state(status: os.stat_result) -> str:
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ino}"


def _memo(path: Path) -> str:
    name = hashlib.blake2b(os.fsencode(path), digest_size=16).hexdigest()
    return f"{MEMO}/{name[:2]}/{name}"

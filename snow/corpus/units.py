"""What every kind of source comes down to: units of a shard, either a repository of files or a table of rows.

A unit is listed by name only, so that every shard's job can list all of them and open its own. Whatever cannot become a
document is a `Refusal` with a reason, so that the receipt can account for each file and row.
"""

from __future__ import annotations

import errno
import functools
import glob
import hashlib
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from snow.errors import SnowError

READ_LIMIT = 16 << 20  # bytes of one file or row that are ever read; no filter in use anywhere keeps a source file above 3 MB (OpenCoder)
LICENSE_LIMIT = 1 << 20  # bytes of a file that states licences that are looked at

# Reasons, as they appear in receipts.
LANGUAGE = "language"  # not a source file, or in a language that `languages` leaves out
LICENSE = "license"
LIMIT_FILES = "limit_files"
EXCLUDE_PATHS = "exclude_paths"
EMPTY = "empty"  # nothing but white space
BINARY = "binary"  # holds a NUL
INVALID_UTF8 = "invalid_utf8"
TOO_LARGE = "too_large"  # above READ_LIMIT
UNREADABLE = "unreadable"  # vanished, no permission, damaged
NOT_A_FILE = "not_a_file"  # symbolic link, device, socket
SUBMODULE = "submodule"
INVALID_PATH = "invalid_path"  # a name that is not Unicode
DUPLICATE_PATH = "duplicate_path"  # a second member of that name in an archive or a RECORD
BROKEN_ROW = "broken_row"  # not JSON, not an object, without content
BROKEN_NOTEBOOK = "broken_notebook"  # not JSON, or without cells


@dataclass(frozen=True)
class Refusal:
    """A file or row that could not be read, and where it lies if that helps to find it."""

    reason: str
    where: str = ""


@dataclass(frozen=True)
class Row:
    """One row of a table. `license` holds its statements as they are, all of which apply. What the table does not give is None."""

    content: bytes | str
    repo: str
    path: str
    language: str | None
    license: tuple[str, ...] | None
    stars: int | None = None  # of its repository
    last_commit: datetime | None = None


@dataclass(frozen=True)
class Table:
    """A data file: its rows in file order, streamed."""

    rows: Callable[[], Iterator[Row | Refusal]]


@dataclass(frozen=True)
class Found:
    """A statement of a licence: its SPDX expression, None when that is not known; where it stands; its words, for what is not known."""

    expression: str | None
    where: str
    words: str = ""


@dataclass(frozen=True)
class Repository:
    """A repository that has been listed but not read.

    `files` are unique paths with forward slashes; `refused` counts entries that are no readable file. `read` yields each wanted path
    once, in an order that depends only on the repository, with its bytes (at most READ_LIMIT) or the reason why not. `found` is what
    is known of the licence of the whole besides its files, None for nothing.
    """

    files: Sequence[str]
    read: Callable[[frozenset[str]], Iterator[tuple[str, bytes | Refusal]]]
    refused: Mapping[str, int] = field(default_factory=Counter)
    facts: Mapping[str, str] = field(default_factory=dict)  # for the receipt, such as the commit a revision stood for
    found: Found | None = None
    last_commit: datetime | None = None


@dataclass(frozen=True)
class Unit:
    """A repository or data file by name; `open` does the work."""

    name: str
    open: Callable[[], Repository | Table]


@functools.lru_cache(1 << 17)  # of rows of a table in any order, a repository's name is met again and again
def rank(text: str) -> int:
    """A stable, evenly spread 64-bit number for a name: BLAKE2b, big-endian."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).digest(), "big")


def home(name: str, shards: int) -> int:
    """The shard a name hashes to."""
    return rank(name) % shards


def files(given: str) -> list[Path]:
    """The paths behind one entry of a source's `paths`: what a pattern (`data/*.parquet`) matches, sorted, else the path itself."""
    path = os.path.expanduser(given)
    return [Path(found) for found in sorted(glob.glob(path, recursive=True))] if glob.has_magic(path) else [Path(path)]


def existing_files(source: str, what: str, paths: Iterable[str]) -> Iterator[Path]:
    """All of them in the order of `paths`; SnowError for one that is no file, or a pattern that matches nothing."""
    for given in paths:
        found = files(given)
        if not found or not all(path.is_file() for path in found):
            raise SnowError(f"source {source}: the {what} {given} does not exist; correct its path in params.yaml")
        yield from found


def names(paths: Sequence[Path]) -> list[str]:
    """What data files are called: as much of the end of their paths as tells all of them apart, `train.parquet`, or
    `python/train.parquet` where another folder has one of that name."""
    unique = set(paths)
    for depth in range(1, max((len(path.parts) for path in paths), default=0) + 1):
        found = ["/".join(path.parts[-depth:]) for path in paths]
        if len(set(found)) == len(unique):
            return found
    return [str(path) for path in paths]


def told_apart(found: Sequence[tuple[str, Path]]) -> list[tuple[str, Path]]:
    """(name, place) with as much of the end of their paths for each of equal names as tells them apart; the others keep theirs."""
    of_name: dict[str, list[Path]] = {}
    for name, place in found:
        of_name.setdefault(name, []).append(place)
    longer = {name: dict(zip(same, names(same), strict=True)) for name, same in of_name.items() if len(same) > 1}
    return [(longer[name][place] if name in longer else name, place) for name, place in found]


def is_unicode(path: str) -> bool:
    """Whether a path decoded with surrogateescape can be written down as UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_file(path: str | Path) -> bytes | Refusal:
    """A file's bytes, or why not; never opens what could block (a FIFO) and never reads more than READ_LIMIT."""
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            return Refusal(NOT_A_FILE)
        if status.st_size > READ_LIMIT:
            return Refusal(TOO_LARGE)
        with open(path, "rb", buffering=0) as stream:
            content = stream.read(status.st_size + 1)
    except OSError as error:
        return Refusal(NOT_A_FILE if error.errno == errno.ELOOP else UNREADABLE)
    except ValueError:  # a NUL in a path that a RECORD gave
        return Refusal(INVALID_PATH)
    return content if len(content) <= READ_LIMIT else Refusal(TOO_LARGE)


def read_files(root: Path, wanted: frozenset[str]) -> Iterator[tuple[str, bytes | Refusal]]:
    """Files of a folder by path relative to it, in path order."""
    for path in sorted(wanted):
        yield path, read_file(f"{root}/{path}")

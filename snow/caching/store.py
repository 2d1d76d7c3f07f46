"""DVC's cache directory, read and written without DVC: objects by MD5, and how they get into the workspace.

The layout is DVC 3's: `files/md5/ab/cdef...`, a folder as a `.dir` object that lists its files. Objects appear by atomic
rename and are read-only, so any number of jobs, clones and hosts can share one cache directory without a lock. Links follow
`cache.type` as DVC reads it; an output that is a link is never opened for writing, because jobs write staged files only.
"""

from __future__ import annotations

import configparser
import contextlib
import errno
import fcntl
import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snow.caching import hashes
from snow.errors import SnowError

FICLONE = 0x40049409  # linux/fs.h: share the extents of another file
LINK_TYPES = ("reflink", "hardlink", "symlink", "copy")


@dataclass(frozen=True)
class Store:
    """An open cache directory: `root` as in `dvc cache dir`, `types` the link types to try in order."""

    root: Path
    types: tuple[str, ...]

    def object_path(self, md5: str) -> Path:
        """Where the object of that hash lies."""
        return self.root / "files" / "md5" / md5[:2] / md5[2:]

    def objects(self, known: hashes.Content) -> list[Path]:
        """Where the objects of a content lie: the file, or the folder's listing and its files."""
        return [self.object_path(md5) for md5 in (known.md5, *(md5 for _, md5 in known.files or ()))]

    def holds(self, known: hashes.Content) -> bool:
        """Whether every object of a content is there; nothing is read."""
        return all(path.exists() for path in self.objects(known))

    def describe(self, md5: str, size: int) -> hashes.Content | None:
        """A content by its hash: a folder's listing is read and verified; None when the listing is missing or damaged."""
        if not md5.endswith(".dir"):
            return hashes.Content(md5, size)
        path = self.object_path(md5)
        if not path.exists() or not self._sound(path, md5.removesuffix(".dir")):
            return None
        files = tuple((entry["relpath"], entry["md5"]) for entry in json.loads(path.read_bytes()))
        return hashes.Content(md5, size, files)

    def add(self, path: Path, known: hashes.Content) -> None:
        """Put a finished file or folder into the cache; objects that are there already are left alone."""
        if known.files is None:
            self._add_file(path, known.md5)
            return
        for name, md5 in known.files:
            self._add_file(path / name, md5)
        self._write_object(known.md5, known.listing)

    def check_out(self, known: hashes.Content, destination: Path) -> bool:
        """Link or copy a content to a path that does not exist yet, every object verified first.

        Returns False, having named and removed the damaged object, when the cache cannot give it; nothing is left behind then.
        """
        pairs = [(destination, known.md5)] if known.files is None else [(destination / name, md5) for name, md5 in known.files]
        for _, md5 in pairs:
            source = self.object_path(md5)
            if not source.exists() or not self._sound(source, md5):
                return False
        if known.files is not None:
            destination.mkdir(parents=True)
        for path, md5 in pairs:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._link(self.object_path(md5), path)
            hashes.remember(path, md5)
        return True

    def _sound(self, path: Path, md5: str) -> bool:
        if hashes.content(path).md5 == md5:
            return True
        print(f"snow: the cached object {path} is damaged; removed, it will be computed or fetched again", file=sys.stderr)
        path.unlink(missing_ok=True)
        return False

    def _add_file(self, path: Path, md5: str) -> None:
        target = self.object_path(md5)
        if target.exists() and self._sound(target, md5):
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        staged = target.with_name(f".{md5}.{os.getpid()}.{os.urandom(4).hex()}")
        # A hard link makes the staged output and the object one file; the output is replaced, never rewritten, so that is safe.
        if "hardlink" in self.types or "symlink" in self.types:
            try:
                os.link(path, staged)
            except OSError:
                _copy(path, staged)
        else:
            _copy(path, staged)
        os.chmod(staged, 0o444)
        os.replace(staged, target)
        hashes.remember(target, md5)

    def _write_object(self, md5: str, data: bytes) -> None:
        target = self.object_path(md5)
        if target.exists():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        staged = target.with_name(f".{md5}.{os.getpid()}.{os.urandom(4).hex()}")
        staged.write_bytes(data)
        os.chmod(staged, 0o444)
        os.replace(staged, target)

    def _link(self, source: Path, path: Path) -> None:
        for kind in self.types:
            with contextlib.suppress(OSError):  # the next type is the answer to a type the file system cannot do
                if kind == "reflink":
                    _reflink(source, path)
                elif kind == "hardlink":
                    os.link(source, path)
                elif kind == "symlink":
                    path.symlink_to(source.absolute())
                else:
                    shutil.copyfile(source, path)
                return
        tried = ", ".join(self.types)
        raise SnowError(f"none of the link types {tried} works from {self.root} to {path.parent}; set `dvc config cache.type copy`")


def open_store(repository: Path = Path()) -> Store | None:
    """The cache of the DVC repository at `repository`, or None when it is not one (then nothing is stored or reused)."""
    home = repository / ".dvc"
    if not home.is_dir():
        return None
    options = _cache_options(home)
    types = tuple(kind.strip() for kind in options.get("type", "reflink,copy").split(","))
    unknown = [kind for kind in types if kind not in LINK_TYPES]
    if unknown:
        raise SnowError(f"cache.type {unknown[0]!r} in the DVC configuration is not one of {', '.join(LINK_TYPES)}")
    return Store(Path(options.get("dir", home / "cache")), types)


def configuration_files(home: Path) -> list[Path]:
    """DVC's levels of configuration, later ones winning: system, global, repository, local. They need not exist."""
    user = os.environ.get("DVC_GLOBAL_CONFIG_DIR") or Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "dvc"
    system = os.environ.get("DVC_SYSTEM_CONFIG_DIR") or "/etc/xdg/dvc"
    return [Path(system) / "config", Path(user) / "config", home / "config", home / "config.local"]


def _cache_options(home: Path) -> dict[str, Any]:
    """The [cache] section over all levels. Raises SnowError naming a file that cannot be read: its cache would be another one."""
    options: dict[str, Any] = {}
    for file in configuration_files(home):
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read_string(file.read_text())
        except FileNotFoundError:
            continue
        except OSError as error:
            raise SnowError(f"{file} cannot be read: {error.strerror}; DVC's cache is configured there") from None
        except (configparser.Error, UnicodeDecodeError) as error:
            raise SnowError(f"{file} is no configuration of DVC ({' '.join(str(error).split())}); correct it there") from None
        if not parser.has_section("cache"):
            continue
        found = {name: value.strip("\"'") for name, value in parser["cache"].items()}  # DVC quotes a value with a comma
        if "dir" in found:  # relative to the file that says so
            found["dir"] = str((file.parent / found["dir"]).resolve())
        options |= found
    return options


def _reflink(source: Path, path: Path) -> None:
    with source.open("rb") as origin, path.open("xb") as target:
        try:
            fcntl.ioctl(target.fileno(), FICLONE, origin.fileno())
        except OSError:
            path.unlink()
            raise


def _copy(source: Path, path: Path) -> None:
    try:
        _reflink(source, path)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        shutil.copyfile(source, path)

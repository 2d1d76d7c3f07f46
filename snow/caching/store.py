"""DVC's cache directory, read and written without DVC: objects by MD5, and how they get into the workspace.

The layout is DVC 3's: `files/md5/ab/cdef...`, a folder as a `.dir` object that lists its files. Objects appear by atomic
rename and are read-only, so any number of jobs, clones and hosts can share one cache directory without a lock. Links follow
`cache.type` as DVC reads it; an output that is a link is never opened for writing, because jobs write staged files only.

An object is never believed to be what its name says: it may be cut short by a crash, edited through a hard link, or come damaged
from a remote. Sizes are looked at before a result is taken for stored, hashes before it is handed out.
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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snow import digest, disk
from snow.caching import clones, hashes
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
        """Whether every object of a content is there with its size; nothing is read."""
        if known.files is None:
            return self.size(known.md5) == known.size
        sizes = [self.size(md5) for _, md5 in known.files]
        return self.size(known.md5) == len(known.listing) and None not in sizes and sum(filter(None, sizes)) == known.size

    def size(self, md5: str) -> int | None:
        """Bytes of an object; None when it is missing or this user may not look."""
        try:
            return self.object_path(md5).stat().st_size
        except OSError:
            return None

    def describe(self, md5: str, size: int | None = None) -> hashes.Content | None:
        """A content by its hash, of `size` bytes or, where that is not known, as many as are there; a folder's listing is read and
        verified. None when something that has to be looked at is missing or damaged."""
        files = None
        if md5.endswith(".dir"):
            if not self.sound(md5):
                return None
            files = listed(self.object_path(md5).read_bytes())
        if size is None:
            sizes = [self.size(each) for each in ([md5] if files is None else [each for _, each in files])]
            if None in sizes:
                return None
            size = sum(filter(None, sizes))
        return hashes.Content(md5, size, files)

    def add(self, path: Path, known: hashes.Content) -> None:
        """Put a finished file or folder into the cache; objects that are there already and sound are left alone.

        Raises OSError when the cache cannot take it (`refusal` puts that into words), SnowError when the path no longer holds what is
        `known` of it. Neither leaves a part of an object.
        """
        if known.files is None:
            self._add_file(path, known.md5)
            return
        for name, md5 in known.files:
            self._add_file(path / name, md5)
        self._write_listing(known)

    def refusal(self, error: OSError) -> str:
        """What `add` or `records.save` raised and what to do about it, in words that end a sentence about finished results."""
        remedy = {errno.ENOSPC: "free space there, for example with `snow gc`,", errno.EDQUOT: "free some of your quota there,"}
        first = remedy.get(error.errno or 0, "make it one you can write to")
        return (
            f"the cache at {self.root} could not take them ({error.strerror or error}); {first} or choose another with "
            f"`dvc cache dir --local FOLDER`; the next run puts them there"
        )

    def check_out(self, known: hashes.Content, destination: Path) -> bool:
        """Link or copy a content to a path that does not exist yet, every object verified first.

        Returns False, having named and removed the damaged object, when the cache cannot give it; nothing is left behind then.
        Raises OSError when there is no space at the destination.
        """
        pairs = [(destination, known.md5)] if known.files is None else [(destination / name, md5) for name, md5 in known.files]
        for _, md5 in pairs:
            if not self.sound(md5):
                return False
        if known.files is not None:
            destination.mkdir(parents=True)
        for path, md5 in pairs:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._link(self.object_path(md5), path)
            hashes.remember(path, md5)
        return True

    def shares(self, folder: Path) -> bool:
        """Whether an object and an output in this folder can be one file on disk, tried with the link types that are no copy."""
        place = next(each for each in (self.root, *self.root.parents) if each.is_dir())
        probe, link = (where / f".probe.{os.getpid()}.{os.urandom(4).hex()}" for where in (place, folder))
        kinds = tuple(kind for kind in self.types if kind != "copy")
        try:
            probe.write_bytes(b"x")
            Store(self.root, kinds)._link(probe, link)
            return True
        except (OSError, SnowError):
            return False
        finally:
            probe.unlink(missing_ok=True)
            link.unlink(missing_ok=True)

    def sound(self, md5: str, afresh: bool = False) -> bool:
        """Whether the object of that hash is there and has it, `afresh` read even when its hash is remembered; a damaged one is named
        and removed."""
        if self.size(md5) is None:
            return False
        path = self.object_path(md5)
        try:
            if (digest.file_md5(path) if afresh else hashes.content(path).md5) == md5.removesuffix(".dir"):
                return True
            found = "is damaged"
        except OSError as error:
            found = f"cannot be read ({error.strerror})"
        try:
            path.unlink(missing_ok=True)
            done = "removed"
        except OSError as error:
            done = f"it could not be removed ({error.strerror})"
        print(
            f"snow: the cached object {path} {found}; {done}, it will be computed or fetched again (if it came from a remote, "
            f"`snow mend` repairs it there, where somebody has it whole)",
            file=sys.stderr,
        )
        return False

    def _add_file(self, path: Path, md5: str) -> None:
        if self.sound(md5):
            return
        target = self.object_path(md5)
        with self._staged(target) as staged:
            # A hard link makes the staged output and the object one file; the output is replaced, never rewritten, so that is safe.
            if "hardlink" in self.types or "symlink" in self.types:
                try:
                    os.link(path.resolve(), staged)  # Linux would link a link, not what it leads to
                except OSError:
                    _copy(path, staged)
            else:
                _copy(path, staged)
            if hashes.content(path).md5 != md5:
                raise SnowError(f"{path} changed while it was put into the cache; run the same command again")
        hashes.remember(target, md5)

    def _write_listing(self, known: hashes.Content) -> None:
        target = self.object_path(known.md5)
        with contextlib.suppress(OSError):  # missing or unreadable: written below
            if target.read_bytes() == known.listing:
                return
        with self._staged(target) as staged:
            staged.write_bytes(known.listing)

    @contextlib.contextmanager
    def _staged(self, target: Path) -> Iterator[Path]:
        """A path beside an object's, which becomes the object, read-only, when the block ends well, and otherwise is removed."""
        target.parent.mkdir(parents=True, exist_ok=True)
        staged = target.with_name(f".{target.name}.{os.getpid()}.{os.urandom(4).hex()}")
        try:
            yield staged
            os.chmod(staged, 0o444)
            os.replace(staged, target)
        except BaseException:
            staged.unlink(missing_ok=True)
            raise

    def _link(self, source: Path, path: Path) -> None:
        for kind in self.types:
            try:
                if kind == "reflink":
                    _reflink(source, path)
                elif kind == "hardlink":
                    os.link(source, path)
                elif kind == "symlink":
                    path.symlink_to(source.absolute())
                else:
                    shutil.copyfile(source, path)
                return
            except OSError as error:  # the next type is the answer to a type the file system cannot do, but not to a full one
                if error.errno in disk.REMEDIES:
                    raise
        tried = ", ".join(self.types)
        raise SnowError(f"none of the link types {tried} works from {self.root} to {path.parent}; set `dvc config cache.type copy`")


def listed(listing: bytes) -> tuple[tuple[str, str], ...]:
    """The (path, md5) files of a folder's `.dir` object."""
    return tuple((entry["relpath"], entry["md5"]) for entry in json.loads(listing))


def open_store(repository: Path = Path()) -> Store | None:
    """The cache of the DVC repository at `repository`, which is entered there as one that uses it, or None when it is none (then
    nothing is stored or reused). Raises SnowError for a configuration that cannot be read."""
    found = configured(repository)
    if found is not None:
        clones.register(found.root, repository)
    return found


def configured(repository: Path) -> Store | None:
    """The cache that a repository's configuration names; None when there is no repository. Raises SnowError as `open_store` does."""
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
        if error.errno in disk.REMEDIES:
            raise
        shutil.copyfile(source, path)

"""Source kinds `folder` and `archive`: repositories as plain files, on disk or packed. Nothing is extracted to disk."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

from snow.corpus import compressed, units
from snow.corpus.units import Refusal, Repository, Unit
from snow.errors import SnowError

_VERSION_CONTROL = frozenset({".git", ".hg", ".svn"})
_SUFFIXES = (".tar.gz", ".tar.xz", ".tar.bz2", ".tar.zst", ".tgz", ".txz", ".tar", ".zip", ".whl")
_RELEASE = re.compile(r"-v?\d[\w.+-]*$")
_BROKEN = (*compressed.DAMAGED, tarfile.TarError, zipfile.BadZipFile, RuntimeError, NotImplementedError)

Member = tuple[str, int | None, Callable[[], IO[bytes]]]  # name; size in bytes, None for what is not a file; opens its content


def folder_units(source: str, paths: tuple[str, ...]) -> Iterator[Unit]:
    """The repositories under each folder, by name.

    A repository may be a link to a folder elsewhere; a link that is broken or leads back here is counted as no file. Hidden
    files beside the repositories (`.DS_Store`) belong to none of them.
    """
    for name, folder in repositories(source, paths):
        if folder.is_symlink() and (not folder.is_dir() or _leads_back(folder, folder.parent)):
            yield Unit(name, lambda: Repository((), lambda wanted: iter(()), {units.NOT_A_FILE: 1}))
        else:
            yield Unit(name, lambda folder=folder: _folder(folder))


def repositories(source: str, paths: Iterable[str]) -> list[tuple[str, Path]]:
    """(name, folder) of the repositories under each folder: the folder itself if it holds files or `.git`, else each of its subfolders,
    or the subfolders of one that is an owner's, as `owner/name`. Of equal names each is told by more of its path's end. SnowError for a
    folder that cannot be read."""
    return units.told_apart([pair for given in paths for pair in _below(source, given)])


def _below(source: str, given: str) -> Iterator[tuple[str, Path]]:
    root = Path(given).expanduser()
    try:
        children = sorted(root.iterdir())
    except OSError as error:
        raise SnowError(f"source {source}: cannot read the folder {given}: {error.strerror}; correct its path in params.yaml") from None
    if (root / ".git").exists() or any(child.is_file() and not child.name.startswith(".") for child in children):
        yield _unicode(root.resolve().name), root.resolve()
        return
    for child in children:
        if child.is_symlink() or not child.is_dir():
            if child.is_symlink():
                yield _unicode(child.name), child
        elif owned := _owned(child):
            yield from ((_unicode(f"{child.name}/{folder.name}"), folder) for folder in owned)
        else:
            yield _unicode(child.name), child


def _unicode(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "replace")


def _owned(folder: Path) -> list[Path]:
    """The repositories of a folder that is an owner's: it has no files itself, and most of its subfolders have `.git` or the text of a
    licence. One subfolder that is called after the folder, or after a release, is a project that was unpacked one folder deeper."""
    from snow.corpus import license_files  # few folders are without files

    inside: list[Path] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if (entry.is_file() and not entry.name.startswith(".")) or entry.name == ".git":
                    return []
                if entry.is_dir() and not entry.name.startswith("."):
                    inside.append(Path(entry.path))
        if len(inside) == 1 and (inside[0].name.startswith(folder.name) or _RELEASE.search(inside[0].name)):
            return []
        whole = 0
        for child in inside:
            names = os.listdir(child)
            licensed = ((license_files.place(name) or ("",))[0] == license_files.TEXT for name in names)
            whole += ".git" in names or any(licensed)
    except OSError:
        return []  # what cannot be read is counted when it is collected
    return sorted(inside) if 2 * whole > len(inside) else []


def _leads_back(link: Path, root: Path) -> bool:
    target, around = link.resolve(), root.resolve()
    return around.is_relative_to(target) or target.is_relative_to(around)


def _folder(root: Path) -> Repository:
    refused: Counter[str] = Counter()
    files = sorted(_walk(root, refused))

    def read(wanted: frozenset[str]) -> Iterator[tuple[str, bytes | Refusal]]:
        return units.read_files(root, wanted)

    return Repository(files, read, refused)


def _walk(root: Path, refused: Counter[str]) -> Iterator[str]:
    """Paths of a folder's regular files; links and devices are counted, and so is a folder that cannot be listed."""

    def unlisted(_: OSError) -> None:
        refused[units.UNREADABLE] += 1

    top = str(root)
    for folder, subfolders, names in os.walk(top, onerror=unlisted):
        inner = folder[len(top) :].strip("/")
        linked = [name for name in subfolders if os.path.islink(f"{folder}/{name}")]
        refused[units.NOT_A_FILE] += len(linked)
        subfolders[:] = [name for name in subfolders if name not in _VERSION_CONTROL and name not in linked]
        for name in names:
            path = f"{inner}/{name}" if inner else name
            if not units.is_unicode(path):
                refused[units.INVALID_PATH] += 1
            elif os.path.islink(f"{folder}/{name}"):
                refused[units.NOT_A_FILE] += 1
            else:
                yield path


def archive_units(source: str, paths: tuple[str, ...]) -> Iterator[Unit]:
    """One repository per archive (.zip, or .tar plain or compressed), named after its file; SnowError when one is missing."""
    files = list(units.existing_files(source, "archive", paths))
    for path, name in zip(files, archive_names(files), strict=True):
        yield Unit(name, lambda path=path: _archive(f"source {source}: the archive {path}", path))


def archive_names(paths: Sequence[Path]) -> list[str]:
    """What the repositories in these archives are called."""
    endings = (next((suffix for suffix in _SUFFIXES if path.name.lower().endswith(suffix)), "") for path in paths)
    return [name[: len(name) - len(ending)] for name, ending in zip(units.names(paths), endings, strict=True)]


def _archive(about: str, path: Path) -> Repository:
    """List an archive and read what states licences; reading it later is a second pass, so that memory is one member otherwise."""
    from snow.corpus import license_files  # what only lists sources needs it not

    refused: Counter[str] = Counter()
    seen: set[str] = set()
    names: list[str] = []
    stating: dict[str, bytes] = {}
    with _named_errors(about):
        for name, size, opened in _members(path):
            if name in seen:
                refused[units.DUPLICATE_PATH] += 1
            elif size is None:
                refused[units.NOT_A_FILE] += 1
            elif not units.is_unicode(name):
                refused[units.INVALID_PATH] += 1
            elif size > units.READ_LIMIT:
                refused[units.TOO_LARGE] += 1
            else:
                names.append(name)
                if size <= units.LICENSE_LIMIT and license_files.place(name):
                    with opened() as stream:
                        stating[name] = stream.read()
            seen.add(name)
    top = _common_folder(names)

    def read(wanted: frozenset[str]) -> Iterator[tuple[str, bytes | Refusal]]:
        left = {top + name for name in wanted}
        if left <= stating.keys():
            yield from ((name.removeprefix(top), stating[name]) for name in sorted(left))
            return
        with _named_errors(about):
            for name, size, opened in _members(path) if left else ():
                if size is None or name not in left:
                    continue
                left.remove(name)
                with opened() as stream:
                    content = stream.read(units.READ_LIMIT + 1)
                yield name.removeprefix(top), content if len(content) <= units.READ_LIMIT else Refusal(units.TOO_LARGE)
                if not left:
                    return

    files = sorted(name.removeprefix(top) for name in names)
    return Repository(files, read, refused)


def _common_folder(names: list[str]) -> str:
    """`name-1.0/` when every file lies in that one folder, as in release archives; else nothing."""
    tops = {name.partition("/")[0] if "/" in name else "" for name in names}
    top = tops.pop() if len(tops) == 1 else ""
    return f"{top}/" if top else ""


def _members(path: Path) -> Iterator[Member]:
    """The entries of an archive in its order, folders left out; a member's content must be read before the next is asked for."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if not info.is_dir():
                    special = stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG)  # 0: made where files have no mode
                    yield _plain(info.filename), None if special else info.file_size, lambda info=info: archive.open(info)
        return
    # tarfile itself would take a truncated stream for a short one
    with (
        compressed.decompressed(path) as stream,
        tarfile.open(fileobj=stream, mode="r|", bufsize=1 << 20, errors="surrogateescape") as packed,
    ):
        while (member := packed.next()) is not None:
            packed.members.clear()  # type: ignore[attr-defined]  # tarfile would keep every header of the archive
            if not member.isdir():
                yield _plain(member.name), member.size if member.isreg() else None, lambda member=member: _content(packed, member)


def _plain(name: str) -> str:
    return name.removeprefix("./").lstrip("/")


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    stream = archive.extractfile(member)
    assert stream is not None  # asked for regular files only
    return stream


@contextlib.contextmanager
def _named_errors(about: str) -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        raise SnowError(
            f"{about} is damaged or of no known kind ({error}); replace it by a whole .zip or .tar(.gz, .xz, .bz2, .zst)"
        ) from error

"""What collection reads outside the repository, told by content, so that a changed source makes exactly its own shards run again.

One value per unit of the shard: a distribution's version, the contents of a folder or data file (hashed once and remembered),
the commit of a local git repository without a revision. What lives on the network is what its revision says it is: a branch
or a data set without a revision is taken as unchanged, so pin it.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snow.caching import hashes
from snow.corpus import folders, git, installed, units

if TYPE_CHECKING:
    from snow.params import View
    from snow.recipe import Source


def fingerprint(params: View, instance: str) -> dict[str, dict[str, Any]]:
    """`{source: {unit: value}}` over the units of the shard `instance`; a source that is missing has no units here, collection names it."""
    shard = int(instance)
    found: dict[str, dict[str, Any]] = {source.name: {} for source in params.sources}
    for source in params.sources:
        for name, value in _units(source):
            if units.rank(name) % params.shards == shard:
                found[source.name].setdefault(name, []).append(value)  # two files may share a name
    return found


def _units(source: Source) -> Iterator[tuple[str, Any]]:
    paths = [Path(given).expanduser() for given in source.paths]
    if source.kind == "environment":
        yield from _distributions(paths)
    elif source.kind == "folder":
        yield from _folders(paths)
    elif source.kind in ("archive", "parquet", "jsonl"):
        yield from ((_table_name(source, path), hashes.content(path).md5) for path in paths if path.is_file())
    elif source.kind == "git" and source.revision is None:
        yield from ((git.repository_name(str(path)), _head(path)) for path in paths if path.is_dir())


def _distributions(prefixes: list[Path]) -> Iterator[tuple[str, str]]:
    found: dict[str, str] = {}
    for prefix in prefixes:
        config = prefix / "pyvenv.cfg"
        version = [line for line in config.read_text().splitlines() if line.startswith("version")] if config.is_file() else []
        found.setdefault(installed.STANDARD_LIBRARY, " ".join(sorted(version)))
        for info in sorted(prefix.glob("lib*/python3*/site-packages/*.dist-info")):
            name, _, rest = info.name.removesuffix(".dist-info").partition("-")
            found.setdefault(installed.normalized(name), rest)
    yield from sorted(found.items())


def _folders(roots: list[Path]) -> Iterator[tuple[str, str]]:
    for root in roots:
        if not root.is_dir():
            continue
        children = sorted(root.iterdir())
        if (root / ".git").exists() or any(child.is_file() and not child.name.startswith(".") for child in children):
            yield root.resolve().name, _tree(root)
            continue
        yield from ((child.name, _tree(child)) for child in children if child.is_dir())


def _tree(root: Path) -> str:
    """A digest of a folder's regular files by path and content; version control and links left out, as collection leaves them."""
    files = []
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = [name for name in subfolders if name not in (".git", ".hg", ".svn")]
        files += [Path(folder, name) for name in names if not os.path.islink(os.path.join(folder, name))]
    digest = hashlib.sha256()
    for path, known in sorted(hashes.contents(path for path in files if os.access(path, os.R_OK) and path.is_file()).items()):
        digest.update(os.fsencode(path.relative_to(root)) + b"\0" + (known.md5 if known else "").encode() + b"\0")
    return digest.hexdigest()


def _table_name(source: Source, path: Path) -> str:
    if source.kind != "archive":
        return path.name
    return next(unit.name for unit in folders.archive_units(source.name, (str(path),), None))


def _head(repository: Path) -> str:
    """The commit HEAD stands for; empty for a repository without one, which collection counts as empty or names as broken."""
    command = ["git", "-C", str(repository), "rev-parse", "--quiet", "--verify", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

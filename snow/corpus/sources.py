"""Every kind of source as units of documents: what `sources` in params.yaml can name.

| kind | paths | a unit is |
|---|---|---|
| environment | prefixes of Python environments | a distribution, or the standard library |
| folder | folders | a subfolder, or the folder itself if it holds files, or an owner's subfolders |
| git | clone URLs, local repositories or patterns of them, or files that list these; at `revision` | a repository |
| archive | .zip and .tar files, compressed or not | an archive |
| parquet, jsonl | files, with `fields`; JSON as lines or one array, compressed or not | a file |
| huggingface | data set names, with `fields`, `subset`, `split`, `data_dir`, `data_files`, `revision` | a data file of the set |
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from snow.corpus import folders, git, hub_files, installed, licenses, rows
from snow.corpus.units import Unit
from snow.errors import SnowError

if TYPE_CHECKING:
    from snow.schema import Source


def list_units(source: Source, mirrors: Path, fetched: Path) -> Iterator[Unit]:
    """The units of a source in a fixed order, names only. `mirrors` is where those of git are kept, `fetched` where files of the hub
    are put.

    Raises SnowError for a source that is not there, names no paths or states a licence that is not SPDX.
    """
    if not source.paths:
        raise SnowError(f"source {source.name}: paths is empty; name at least one")
    if source.license is not None and licenses.spdx(source.license) is None:
        raise SnowError(f"source {source.name}: license {source.license!r} is no SPDX expression; correct it, as in MIT or Apache-2.0")
    match source.kind:
        case "environment":
            return installed.environment_units(source.name, source.paths, source.license)
        case "folder":
            return folders.folder_units(source.name, source.paths)
        case "archive":
            return folders.archive_units(source.name, source.paths)
        case "git":
            return git.git_units(source.name, source.paths, source.revision, mirrors)
        case "parquet" | "jsonl":
            return rows.file_units(source.name, source.kind, source.paths, source.fields)
        case "huggingface":
            return hub_files.hub_units(source, fetched)


def selected(source: Source, units: Iterator[Unit]) -> Iterator[tuple[Unit, bool]]:
    """Each unit, and whether `include` and `exclude` leave it in; names are compared as package indexes do (`_` is `-`, any case).

    Raises SnowError at the end for an `include` that named no unit.
    """
    exclude = {_plain(name) for name in source.exclude}
    include = {_plain(name): name for name in source.include}
    missing = dict(include)
    for unit in units:
        name = _plain(unit.name)
        missing.pop(name, None)
        yield unit, name not in exclude and (not include or name in include)
    if missing:
        raise SnowError(f"source {source.name}: include names {next(iter(missing.values()))}, which it does not have; correct or remove it")


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).casefold()

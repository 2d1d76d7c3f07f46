"""How much the sources hold, before anything is collected: listed and sampled where they lie on this machine, else as params declare it.

Of repositories (environment, folder, archive, local git) the files of known languages are counted, with `limit_files` and the licence
that the whole states, and a few of each language are read for their size. Parquet says its rows and bytes itself; JSON is as long as its
files. What is on another machine has the size that its `size_gb` says; without one its size is unknown, NaN.
"""

from __future__ import annotations

import heapq
import math
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from snow.corpus import folders, languages, licenses, sources, units
from snow.corpus.units import Repository, Unit
from snow.errors import SnowError
from snow.params import Params
from snow.schema import Source

REPOSITORIES = 200  # looked at of a source; more are taken to be like these
FILES = 600  # read of each language, over all repositories, but three or more of each repository
PACKED = {".gz": 4.0, ".zst": 5.0, ".xz": 6.0, ".bz2": 5.0}  # source code over its compressed size, roughly


@dataclass(frozen=True)
class Extent:
    """Documents and bytes of text; NaN where that is not known."""

    documents: float
    bytes: float


UNKNOWN = Extent(math.nan, math.nan)


def extent(source: Source, params: Params, mean_bytes: float) -> Extent:
    """What `collect` will find in a source, licences of single files not looked at; UNKNOWN without a `size_gb` where it is not here.
    `mean_bytes` are a document's where only bytes are known."""
    try:
        found = _here(source, params, mean_bytes)
    except (SnowError, OSError):
        found = None
    if found is not None and not math.isnan(found.bytes):
        return found
    if source.size_gb is None:
        return UNKNOWN
    return Extent(source.size_gb * 1e9 / mean_bytes, source.size_gb * 1e9)


def _here(source: Source, params: Params, mean_bytes: float) -> Extent | None:
    if source.kind == "parquet":
        return total([_parquet(path, source) for path in units.existing_files(source.name, "file", source.paths)])
    if source.kind == "jsonl":
        size = sum(path.stat().st_size * PACKED.get(path.suffix, 1.0) for path in units.existing_files(source.name, "file", source.paths))
        return Extent(size / mean_bytes, size)
    if source.kind == "huggingface":
        return None
    if source.kind == "git":  # a working tree of this machine; nothing is fetched
        return _sampled(source, params, folders.folder_units(source.name, source.paths))
    return _sampled(source, params, sources.list_units(source, Path(), Path()))


def _sampled(source: Source, params: Params, listed: Iterator[Unit]) -> Extent:
    wanted = [unit for unit, taken in sources.selected(source, listed) if taken]
    looked_at = sorted(wanted, key=lambda unit: units.rank(unit.name))[:REPOSITORIES]
    files = max(3, FILES // max(len(looked_at), 1))
    found = total([_repository(unit, source, params, files) for unit in looked_at])
    scale = len(wanted) / max(len(looked_at), 1)
    return Extent(found.documents * scale, found.bytes * scale)


def total(parts: Iterable[Extent]) -> Extent:
    """All of them together."""
    parts = list(parts)
    return Extent(sum(part.documents for part in parts), sum(part.bytes for part in parts))


def _parquet(path: Path, source: Source) -> Extent:
    meta = pq.read_metadata(path)
    column = source.fields.get("content", "content")
    size = 0
    for group in range(meta.num_row_groups):
        rows = meta.row_group(group)
        size += sum(rows.column(i).total_uncompressed_size for i in range(rows.num_columns) if rows.column(i).path_in_schema == column)
    return Extent(meta.num_rows, size)


def _repository(unit: Unit, source: Source, params: Params, files: int) -> Extent:
    content = unit.open()
    if not isinstance(content, Repository):
        return UNKNOWN
    stated = content.found.expression if content.found is not None and source.license_precedence != "override" else None
    if stated is not None and not licenses.permitted(stated, frozenset(name.casefold() for name in params.licenses.allow)):
        return Extent(0, 0)
    known, by_language = languages.known(params.languages), defaultdict[str, list[str]](list)
    for path in content.files:
        named = next((one for one in languages.candidates(os.path.basename(path)) if one in known), None)
        if named is not None:
            by_language[named].append(path)
    documents = size = 0.0
    for paths in by_language.values():
        count = min(len(paths), source.limit_files or len(paths))
        sample = frozenset(heapq.nsmallest(files, paths, key=units.rank))
        read = [len(data) for _, data in content.read(sample) if isinstance(data, bytes)]
        if read:
            documents, size = documents + count, size + count * sum(read) / len(read)
    return Extent(documents, size)

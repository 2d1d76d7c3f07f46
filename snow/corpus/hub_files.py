"""Source kind `huggingface`: the data files of hub data sets, each fetched whole before it is read.

`datasets` says which files a subset, a split, `data_dir` and `data_files` mean. A file that the hub's cache on this machine has is read
there; another is fetched into the job's work folder, where a job that was interrupted finds it again, and goes with that folder.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from snow import hub, hub_access
from snow.corpus import rows, units
from snow.corpus.json_rows import Numbered
from snow.corpus.units import Table, Unit
from snow.errors import SnowError

if TYPE_CHECKING:
    from snow.schema import Source

_PACKED = (".gz", ".zst", ".xz", ".bz2")
_JSON = (".json", ".jsonl", ".ndjson")


@dataclass(frozen=True)
class _Remote:
    """A file of a data set at a commit of the hub."""

    data_set: str
    commit: str
    path: str


def hub_units(source: Source, fetched: Path) -> Iterator[Unit]:
    """One unit per data file, named after the data set and the file's path in it; a local folder that `datasets` can load works as a
    name too. `fetched` is where files of the hub are put.

    Raises SnowError when `datasets` is not installed here or cannot find the data set or what is asked of it.
    """
    rows.check_fields(source.name, source.fields)
    try:
        import datasets  # not in every environment, and slow to import
    except ImportError:
        raise SnowError(
            f"source {source.name}: kind huggingface needs the package datasets, which this environment lacks; "
            "add it to envs/base.in, run `envs/lock base` and `make envs`, or give the files themselves as kind parquet or jsonl"
        ) from None
    patterns = {source.split: list(source.data_files)} if source.data_files else None
    for name, short in zip(source.paths, units.names([Path(name) for name in source.paths]), strict=True):
        about = f"source {source.name}: the data set {name}"
        try:
            place, commit = hub.loadable("dataset", name, source.revision)
            builder = datasets.load_dataset_builder(place, source.subset, data_dir=source.data_dir, data_files=patterns, revision=commit)
        except Exception as error:  # datasets raises a dozen kinds, from ValueError to HTTP errors, for what is the user's to correct
            asked = {key: getattr(source, key) for key in ("subset", "split", "data_dir", "data_files", "revision")}
            told = ", ".join(f"{key} {value}" for key, value in asked.items() if value)
            raise SnowError(f"{about} ({told}) cannot be loaded: {_reason(error, name, 'correct it in params.yaml')}") from error
        files = builder.config.data_files or {}
        if source.split not in files:
            raise SnowError(f"{about} has no files of a split {source.split}, but of {', '.join(map(str, files)) or 'none'}; correct it")
        for file in files[source.split]:
            remote = _remote(name, file)
            unit = f"{short}/{remote.path if remote else file.removeprefix(f'{place}/')}"
            yield Unit(unit, functools.partial(_open, builder, source, file, remote, fetched, unit, f"{about}, file {unit}"))


def _remote(name: str, file: str) -> _Remote | None:
    """What an address of `datasets` means, hf://datasets/NAME@COMMIT/PATH; None for what is not on the hub, or not of this set."""
    base = f"hf://datasets/{name}@"
    commit, _, path = file.removeprefix(base).partition("/")
    return _Remote(name, commit, path) if file.startswith(base) else None


def _open(builder: Any, source: Source, file: str, remote: _Remote | None, fetched: Path, unit: str, about: str) -> Table:
    place = _fetched(remote, fetched, about) if remote else file
    suffix = next((one for one in reversed(PurePosixPath(file).suffixes) if one not in _PACKED), "")
    if "://" not in place:
        if builder.name == "parquet" and suffix == ".parquet":
            return rows.file_table("parquet", Path(place), unit, about, source.fields)
        if builder.name == "json" and suffix in _JSON and not builder.config.field:
            return rows.file_table("jsonl", Path(place), unit, about, source.fields)
    return Table(lambda: rows.table_rows(_streamed(builder, source.split, place, about), about, unit, source.fields))


def _fetched(remote: _Remote, folder: Path, about: str) -> str:
    from huggingface_hub import hf_hub_download, try_to_load_from_cache

    asked = {"revision": remote.commit, "repo_type": "dataset"}
    try:
        known = try_to_load_from_cache(remote.data_set, remote.path, **asked)
        return known if isinstance(known, str) else hf_hub_download(remote.data_set, remote.path, cache_dir=folder, **asked)
    except Exception as error:  # of the library's HTTP client, of a full disk
        reason = _reason(error, remote.data_set, "run again, what was fetched stays")
        raise SnowError(f"{about} cannot be fetched: {reason}") from error


def _reason(error: Exception, name: str, remedy: str) -> str:
    """Why a data set cannot be had, and what to do."""
    from huggingface_hub.errors import GatedRepoError

    if isinstance(error, GatedRepoError) or "is a gated dataset" in str(error):  # what `datasets` says, without its cause
        return f"it is gated; {hub_access.acceptance('dataset', name)}"
    return f"{rows.first_line(error)}; {remedy}"


def _streamed(builder: Any, split: str, file: str, about: str) -> Iterator[Numbered]:
    """The rows of a file of another format, as `datasets` reads it."""
    from datasets.data_files import DataFilesDict, DataFilesList

    one = copy.copy(builder)
    one.config = copy.copy(builder.config)
    one.config.data_files = DataFilesDict({split: DataFilesList([file], [None])})
    try:
        yield from enumerate(one.as_streaming_dataset(split), start=1)
    except Exception as error:  # as above: network, decoding, schema
        raise SnowError(f"{about} cannot be read to its end: {rows.first_line(error)}") from error

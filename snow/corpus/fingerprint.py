"""What collection reads outside the repository, told by content, so that a changed source makes exactly its own shards run again.

One value per unit of the shard: a distribution's version, the contents of a folder or data file (hashed once and remembered), the
commit of a git repository or a data set of the hub. Of what lives on the network only a job finds out the commit; elsewhere it is
None, not known here, and taken as unchanged. Where a source lies on this machine (`paths`) is no part of it, so a file more makes
one shard more to do, and a corpus that was moved none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snow import packaged, references
from snow.caching import hashes
from snow.corpus import folders, git, installed, trees, units

if TYPE_CHECKING:
    from snow.corpus.collect import Params
    from snow.schema import Source


def fingerprint(params: Mapping[str, Params], env: str) -> dict[str, dict[str, list[list[Any]]]]:
    """`{instance: {source: [[unit, value], ...]}}`: the units of each of those shards in the order in which collection reads them.

    Every source is listed once; only what lies in the shards asked for is read. A source that is missing has no units here,
    collection names it. Raises SnowError when a job asks a server for a commit and gets none.
    """
    every = next(iter(params.values()))  # all shards are of one corpus
    everywhere = {source.name: _data_sets(source, env) if source.kind == "huggingface" else [] for source in every.sources}
    asked = {int(instance): {name: list(units) for name, units in everywhere.items()} for instance in params}

    def wanted(name: str) -> bool:
        return units.home(name, every.shards) in asked

    for source in every.sources:
        for name, value in _units(source, wanted):
            asked[units.home(name, every.shards)][source.name].append([name, value])
    return {instance: asked[int(instance)] for instance in params}


def _data_sets(source: Source, env: str) -> list[list[str | None]]:
    """(name, value) of every data set of a hub source: which of its files is in which shard is known only where the network is."""
    names = (Path(path).name if packaged.is_local(path) else path for path in source.paths)
    values = (references.identity("dataset", path, source.revision, env) for path in source.paths)
    return [list(pair) for pair in zip(names, values, strict=True)]


def _units(source: Source, wanted: Callable[[str], bool]) -> Iterator[tuple[str, Any]]:
    """(name, value) of every wanted unit of the other kinds."""
    paths = [Path(given).expanduser() for given in source.paths]
    if source.kind == "environment":
        yield from (unit for unit in _distributions(paths) if wanted(unit[0]))
    elif source.kind == "folder":
        there = [given for given, path in zip(source.paths, paths, strict=True) if path.is_dir()]
        mine = [(name, root) for name, root in folders.repositories(source.name, there) if root.is_dir() and wanted(name)]
        yield from zip((name for name, _ in mine), trees.digests(root for _, root in mine), strict=True)
    elif source.kind in ("archive", "parquet", "jsonl"):
        files = [path for given in source.paths for path in units.files(given) if path.is_file()]
        named = folders.archive_names(files) if source.kind == "archive" else units.names(files)
        mine = {path: name for path, name in zip(files, named, strict=True) if wanted(name)}
        yield from ((mine[path], content.md5) for path, content in hashes.contents(mine).items() if content is not None)
    elif source.kind == "git":
        for name, url, revision in git.repositories(source.name, source.paths, source.revision):
            if wanted(name):
                commit = git.commit_of(f"source {source.name}: the git repository {git.shown(url)}", url, revision)
                yield name, commit if Path(url).expanduser().is_dir() else [git.shown(url), commit]


def _distributions(prefixes: list[Path]) -> Iterator[tuple[str, str]]:
    versions: dict[str, str] = {}
    for prefix in prefixes:
        config = prefix / "pyvenv.cfg"
        version = [line for line in config.read_text().splitlines() if line.startswith("version")] if config.is_file() else []
        versions.setdefault(installed.STANDARD_LIBRARY, " ".join(sorted(version)))
        for info in sorted(prefix.glob("lib*/python3*/site-packages/*.dist-info")):
            name, _, rest = info.name.removesuffix(".dist-info").partition("-")
            versions.setdefault(installed.normalized(name), rest)
    yield from sorted(versions.items())

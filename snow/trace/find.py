"""What is meant by a path, an id or the name of a repository: documents of the corpus, generated ones, or repositories.

A repository has all its documents in one shard, which its name leads to; where a source is a table, what it states lies in several tables
of `repositories`. For a path without its repository, or an id, one or two short columns of every shard are compared.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from snow.corpus import units
from snow.errors import SnowError
from snow.tables import REPOSITORIES
from snow.trace import lookup
from snow.trace.lookup import Mask, Recipe, Rows

SHOWN = 20  # documents that are listed where several are meant
NEAR = 3  # documents of the same file name that are named where none is meant
OF_ROWS = ("parquet", "jsonl", "huggingface")  # kinds of source whose units are data files, so that a repository may lie in several
ABOUT = ("id", "repo", "path", "language", "license", "size")
STATED = REPOSITORIES.names


@dataclass(frozen=True)
class Document:
    """A document of `corpus/partitioned`, and its row in that shard."""

    shard: str
    row: int
    id: str
    repo: str
    path: str
    language: str
    license: str
    size: int

    @property
    def address(self) -> str:
        """What names this one alone, copies and equal names notwithstanding."""
        return f"{self.shard}:{self.row}"

    def facts(self) -> dict[str, Any]:
        """As JSON types."""
        return {"address": self.address, **asdict(self)}


@dataclass(frozen=True)
class Generated:
    """A generated answer: the synthetic set and the number of its request."""

    set: str
    request: int
    key: str
    id: str | None  # of its code, None when there is none


@dataclass(frozen=True)
class Found:
    """What a text means: a repository (`stated` are its rows of `repositories`, each with its `shard`), or documents, or answers.

    Where it means a file of a known repository that is no document, there is `stated` and `of`, the repository; `near` are names that
    resemble what means nothing.
    """

    documents: list[Document] = field(default_factory=list)
    generated: list[Generated] = field(default_factory=list)
    stated: Rows = field(default_factory=list)
    of: str | None = None
    near: list[str] = field(default_factory=list)


def find(recipe: Recipe, text: str) -> Found:
    """The documents (at most SHOWN + 1 of each shard) or the repository that a text means; SnowError where nothing is collected yet."""
    _check_collected(recipe)
    if (address := re.fullmatch(r"(\d+):(\d+)", text)) and address[1] in recipe.shards:
        rows = lookup.at(recipe.documents(address[1]), [int(address[2])], ABOUT)
        return Found([_document(address[1], row) for row in rows])
    if re.fullmatch(r"[0-9a-f]{32}", text):
        wanted = {text, *_originals(recipe, text)}
        documents = _documents(recipe, recipe.shards, lambda path: lookup.having(path, {"id": wanted}, ABOUT, SHOWN + 1))
        return Found(documents, [] if documents else list(_generated(recipe, "id", text)))
    if key := re.search(r"(?:^|/)([0-9a-f]{64})(?:\.\w+)?$", text):
        return Found(generated=list(_generated(recipe, "key", key[1])))
    return _by_name(recipe, text.removeprefix("./").rstrip("/"))


def _check_collected(recipe: Recipe) -> None:
    absent = [path for shard in recipe.shards if not (path := recipe.documents(shard)).exists()]
    if len(absent) == len(recipe.shards):
        raise SnowError(
            f"nothing is collected yet ({absent[0]} does not exist); run `snakemake corpus-partitioned`, or `dvc pull corpus-partitioned`"
        )
    if absent:
        print(f"snow trace: {len(absent)} of {len(recipe.shards)} shards are not here, among them {absent[0]}", file=sys.stderr)


def _documents(recipe: Recipe, shards: Iterable[str], look: Any) -> list[Document]:
    shards = list(shards)
    found = lookup.over([recipe.documents(shard) for shard in shards], look)
    return [_document(shard, row) for shard, rows in zip(shards, found, strict=True) for row in rows]


def _document(shard: str, row: dict[str, Any]) -> Document:
    return Document(shard, row.pop("number"), **row)


def _originals(recipe: Recipe, text: str) -> set[str]:
    """What documents had for an id before they were redacted and had this."""
    tables = [table for shard in recipe.shards if (table := recipe.redactions(shard))]
    found = lookup.over(tables, lambda path: lookup.having(path, {"id": {text}}, ["original"]))
    return {row["original"] for rows in found for row in rows}


def _generated(recipe: Recipe, name: str, value: str) -> Iterator[Generated]:
    for generated in recipe.params.synthetic:
        decisions = recipe.made("decisions", "refine", generated)
        rows = lookup.having(decisions, {name: {value}}, ["request", "key", "id"])
        yield from (Generated(generated, row["request"], row["key"], row["id"]) for row in rows)


def repositories(recipe: Recipe, names: Iterable[str]) -> Rows:
    """The rows of `repositories` about repositories of these names, each with its `shard`."""
    wanted = list(names)
    by_rows = any(source.kind in OF_ROWS for source in recipe.params.sources)
    shards = recipe.shards
    if not by_rows:
        shards = list(dict.fromkeys(shards[units.home(name, len(shards))] for name in wanted))
    tables = [recipe.made("repositories", "collect", shard) for shard in shards]
    found = lookup.over(tables, lambda path: lookup.having(path, {"repo": wanted}, STATED))
    return [{"shard": shard, **{name: row[name] for name in STATED}} for shard, rows in zip(shards, found, strict=True) for row in rows]


def _by_name(recipe: Recipe, text: str) -> Found:
    """A repository of that name; else REPOSITORY/PATH; else documents whose path ends so, or that are the file on disk of that path."""
    parts = text.split("/")
    heads = {"/".join(parts[:count]): "/".join(parts[count:]) for count in range(len(parts), 0, -1)}
    stated = repositories(recipe, heads)
    if whole := [row for row in stated if row["repo"] == text]:
        return Found(stated=whole, of=text)
    for repo in dict.fromkeys(row["repo"] for row in stated):
        wanted = {"repo": {repo}, "path": {heads[repo]}}
        if documents := _documents(recipe, [recipe.shard_of(repo)], lambda path, wanted=wanted: lookup.having(path, wanted, ABOUT)):
            return Found(documents)

    def scan(mask: Mask, limit: int | None) -> list[Document]:
        return _documents(recipe, recipe.shards, lambda path: lookup.where(path, ["repo", "path"], mask, ABOUT, limit))

    if documents := scan(_ending(text), SHOWN + 1) or _longest(scan(_on_disk(parts), None), text):
        return Found(documents)
    if stated:
        longest = max((row["repo"] for row in stated), key=len)
        return Found(stated=[row for row in stated if row["repo"] == longest], of=longest)
    near = [f"{one.repo}/{one.path}" for one in scan(_ending(parts[-1]), NEAR)[:NEAR]] if len(parts) > 1 else []
    return Found(near=[*(_alike(recipe, parts[0]) if parts[0] else ()), *near])


def _whole(table: pa.Table) -> Any:
    return pc.binary_join_element_wise(table["repo"], table["path"], "/")


def _ending(text: str) -> Mask:
    """REPOSITORY/PATH ends with this, from a name on."""
    return lambda table: pc.ends_with(pc.binary_join_element_wise("", _whole(table), "/"), f"/{text}")


def _on_disk(parts: list[str]) -> Mask:
    """REPOSITORY/PATH, or a PATH in a folder, is the end of a longer path."""
    tails = pa.array(["/".join(parts[start:]) for start in range(len(parts) - 1)], pa.string())
    return lambda table: pc.or_(pc.is_in(_whole(table), tails), pc.is_in(table["path"], tails))


def _longest(documents: list[Document], text: str) -> list[Document]:
    """Of documents that a file on disk may be, those whose repository its path names too; else those of the longest path."""
    named = [one for one in documents if f"/{text}".endswith(f"/{one.repo}/{one.path}")]
    most = max((len(one.path) for one in documents), default=0)
    return named or [one for one in documents if len(one.path) == most]


def _alike(recipe: Recipe, text: str) -> list[str]:
    """Repositories whose name resembles the text, of those that begin with the same two letters."""
    tables = [recipe.made("repositories", "collect", shard) for shard in recipe.shards]

    def mask(table: pa.Table) -> Any:
        return pc.starts_with(table["repo"], text[:2], ignore_case=True)

    found = lookup.over(tables, lambda path: lookup.where(path, ["repo"], mask, ["repo"]))
    return difflib.get_close_matches(text, {row["repo"] for rows in found for row in rows}, NEAR)

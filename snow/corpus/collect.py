"""Stage `collect`: the documents of one shard out of every source, with their language and licence.

A unit (repository or data file) belongs to the shard its name hashes to, so each job lists all units and reads its own. Every
file and row a unit holds is either a document or counted under one reason: `files_seen = documents + sum(dropped)`. Memory is one
file (at most 16 MB) and one row group.
"""

from __future__ import annotations

import codecs
import contextlib
import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from tqdm import tqdm

from snow.corpus import languages, licenses, units
from snow.corpus.sources import list_units, selected
from snow.corpus.units import Refusal, Repository, Table
from snow.errors import SnowError
from snow.tables import DOCUMENTS, TableWriter, document_id

if TYPE_CHECKING:
    from snow.job import Job
    from snow.schema import Licenses, Source

EXAMPLES = 5  # rows named in a receipt


@dataclass(frozen=True)
class Rules:
    """What may become a document: languages by name, licences as case-folded SPDX identifiers."""

    languages: frozenset[str]
    licenses: frozenset[str]


@dataclass
class Tally:
    """What happened to every file and row, for the receipt."""

    seen: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    documents: Counter[str] = field(default_factory=Counter)  # by language, as is
    bytes: Counter[str] = field(default_factory=Counter)
    licenses: Counter[str] = field(default_factory=Counter)
    licenses_not_allowed: Counter[str] = field(default_factory=Counter)
    licenses_unknown: Counter[str] = field(default_factory=Counter)  # by what was stated, shortened
    broken_rows: list[str] = field(default_factory=list)  # the first that could not be read, as file:row

    def keep(self, document: dict[str, Any]) -> None:
        """Count a document."""
        self.documents[document["language"]] += 1
        self.bytes[document["language"]] += document["size"]
        self.licenses[document["license"]] += 1

    def drop(self, reason: str, count: int = 1) -> None:
        """Count files or rows that become no documents."""
        if count:
            self.dropped[reason] += count

    def drop_refused(self, refusal: Refusal) -> None:
        """Count one file or row that could not be read; the first such rows are named."""
        self.drop(refusal.reason)
        if refusal.where and len(self.broken_rows) < EXAMPLES:
            self.broken_rows.append(refusal.where)

    def drop_license(self, expression: str | None, statement: str, count: int = 1) -> None:
        """Count files whose licence is not allowed or, without an SPDX expression, not known."""
        self.drop(units.LICENSE, count)
        if count and expression:
            self.licenses_not_allowed[expression] += count
        elif count:
            self.licenses_unknown[" ".join(statement.split())[:60] or "nothing stated"] += count


class Params(Protocol):
    shards: int
    sources: Sequence[Source]
    licenses: Licenses
    languages: Sequence[str]


def run(job: Job[Params]) -> dict[str, Any]:
    """Collect the shard named by the instance into `documents`."""
    shard = int(job.instance)
    rules = Rules(languages.known(job.params.languages), frozenset(name.casefold() for name in job.params.licenses.allow))
    tallies: dict[str, Tally] = {}
    counts: Counter[str] = Counter(read=0, empty=0, excluded=0)
    commits: dict[str, str] = {}
    with TableWriter(job.output("documents"), DOCUMENTS) as writer:
        for source in job.params.sources:
            tally = tallies[source.name] = Tally()
            with _readable(f"source {source.name}"):
                listed = selected(source, list_units(source, job.work_root.parent / "git"))
                mine = [(unit, wanted) for unit, wanted in listed if units.rank(unit.name) % job.params.shards == shard]
            counts["excluded"] += sum(not wanted for _, wanted in mine)
            for unit, wanted in tqdm(mine, desc=f"collect {job.instance} {source.name}", unit="unit", mininterval=10):
                if not wanted:
                    continue
                with _readable(f"source {source.name}: {unit.name}"):
                    content = unit.open()
                seen = tally.seen
                if isinstance(content, Repository):
                    commits.update(content.facts)
                    writer.write_all(repository_documents(unit.name, content, rules, source.limit_files, tally))
                else:
                    writer.write_all(table_documents(content, rules, source.license, tally))
                counts["read"] += 1
                counts["empty"] += tally.seen == seen
    return facts(tallies) | {"units": dict(counts), "commits": dict(sorted(commits.items()))}


@contextlib.contextmanager
def _readable(about: str) -> Iterator[None]:
    """A source or unit whose own description (RECORD, METADATA, pyvenv.cfg) cannot be read is an error, unlike one of its files."""
    try:
        yield
    except OSError as error:
        raise SnowError(f"{about} cannot be read: {error.filename}: {error.strerror}; make it readable or exclude it") from error


def facts(tallies: dict[str, Tally]) -> dict[str, Any]:
    """The counts of a receipt, over all sources and per source."""

    def added(name: str) -> dict[str, int]:
        total = sum((getattr(tally, name) for tally in tallies.values()), Counter())
        return dict(sorted(total.items()))

    documents, size = added("documents"), added("bytes")
    return {
        "files_seen": sum(tally.seen for tally in tallies.values()),
        "documents": sum(documents.values()),
        "bytes": sum(size.values()),
        "dropped": added("dropped"),
        "languages": {name: {"documents": count, "bytes": size[name]} for name, count in documents.items()},
        "licenses": added("licenses"),
        "licenses_dropped": {"not_allowed": added("licenses_not_allowed"), "unknown": added("licenses_unknown")},
        "sources": {
            name: {
                "files_seen": tally.seen,
                "documents": tally.documents.total(),
                "bytes": tally.bytes.total(),
                "dropped": tally.dropped.total(),
            }
            for name, tally in tallies.items()
        },
        "broken_rows": [where for tally in tallies.values() for where in tally.broken_rows][:EXAMPLES],
    }


def repository_documents(name: str, repository: Repository, rules: Rules, limit: int | None, tally: Tally) -> Iterator[dict[str, Any]]:
    """The documents of one repository, at most `limit` per language."""
    tally.seen += len(repository.files) + sum(repository.refused.values())
    for reason, count in repository.refused.items():
        tally.drop(reason, count)
    sources = [path for path in repository.files if rules.languages.intersection(languages.candidates(path))]
    tally.drop(units.LANGUAGE, len(repository.files) - len(sources))
    if repository.license is None or not licenses.permitted(repository.license, rules.licenses):
        tally.drop_license(repository.license, repository.statement, len(sources))
        return
    chosen = limited(sources, limit) if limit else frozenset(sources)
    tally.drop(units.LIMIT_FILES, len(sources) - len(chosen))
    for path, raw in repository.read(chosen):
        content = raw if isinstance(raw, Refusal) else text_of(raw)
        if isinstance(content, Refusal):
            tally.drop_refused(content)
            continue
        expression = licenses.in_header(content) or repository.license
        yield from _document(name, path, content, languages.language_of(path, content), expression, "", rules, tally)


def limited(paths: Iterable[str], limit: int) -> frozenset[str]:
    """At most `limit` paths of each language, those whose names hash lowest: independent of content and of the other files."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for path in paths:
        groups[languages.candidates(path)[0]].append(path)
    return frozenset(path for group in groups.values() for path in heapq.nsmallest(limit, group, key=units.rank))


def table_documents(table: Table, rules: Rules, stated: str | None, tally: Tally) -> Iterator[dict[str, Any]]:
    """The documents of one data file; `stated` is the licence of every row, else each row's own counts."""
    for row in table.rows():
        tally.seen += 1
        if isinstance(row, Refusal):
            tally.drop_refused(row)
            continue
        content = text_of(row.content)
        if isinstance(content, Refusal):
            tally.drop_refused(content)
            continue
        if not (units.is_unicode(row.repo) and units.is_unicode(row.path)):
            tally.drop(units.INVALID_PATH)
            continue
        language = languages.language_of(row.path, content) if row.language is None else languages.canonical(row.language)
        statements = (stated,) if stated else row.license or ()
        known = [licenses.spdx(statement) for statement in statements]
        expression = licenses.all_of(name for name in known if name) if all(known) else None
        yield from _document(row.repo, row.path, content, language, expression, "; ".join(statements), rules, tally)


def text_of(content: bytes | str) -> str | Refusal:
    """A file's text without a byte order mark, or why it is none."""
    if isinstance(content, bytes):
        if b"\0" in content:
            return Refusal(units.BINARY)
        try:
            text = content.removeprefix(codecs.BOM_UTF8).decode()
        except UnicodeDecodeError:
            return Refusal(units.INVALID_UTF8)
    else:
        text = content.removeprefix("\ufeff")
        if len(text) > units.READ_LIMIT:
            return Refusal(units.TOO_LARGE)
        if "\0" in text:
            return Refusal(units.BINARY)
        if not units.is_unicode(text):  # JSON can spell half of a surrogate pair
            return Refusal(units.INVALID_UTF8)
    return Refusal(units.EMPTY) if not text or text.isspace() else text


def _document(
    repo: str, path: str, content: str, language: str | None, expression: str | None, statement: str, rules: Rules, tally: Tally
) -> Iterator[dict[str, Any]]:
    """The document, counted, or nothing when its language or licence leaves it out."""
    if language not in rules.languages:
        tally.drop(units.LANGUAGE)
    elif expression is None or not licenses.permitted(expression, rules.licenses):
        tally.drop_license(expression, statement)
    else:
        document = {
            "id": document_id(content),
            "repo": repo,
            "path": path,
            "language": language,
            "license": expression,
            "content": content,
            "size": len(content.encode()),
        }
        tally.keep(document)
        yield document

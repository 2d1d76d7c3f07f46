"""Stage `collect`: the documents of one shard out of every source, with their language and licence, and what each repository states.

A unit (repository or data file) belongs to the shard its name hashes to, so each job lists all units and reads its own. Every
file and row a unit holds is either a document or counted under one reason: `files_seen = documents + sum(dropped)`. Memory is one
file (at most 16 MB), one row group, and a count for each repository of a unit.
"""

from __future__ import annotations

import codecs
import contextlib
import heapq
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from tqdm import tqdm

from snow.corpus import languages, license_texts, licenses, notebooks, terms, units
from snow.corpus.exclusions import Exclusions
from snow.corpus.shortfalls import shortfalls, unmatched
from snow.corpus.sources import list_units, selected
from snow.corpus.units import Found, Refusal, Repository, Table
from snow.errors import SnowError
from snow.tables import DOCUMENTS, REPOSITORIES, TableWriter, document_id

if TYPE_CHECKING:
    from snow.job import Job
    from snow.schema import Licenses, Source

EXAMPLES = 5  # rows named in a receipt
OF_FILE, OF_ROW = "the file itself", "its row"  # where a licence was found, besides files


@dataclass(frozen=True)
class Rules:
    """What may become a document: languages by name, licences as case-folded SPDX identifiers; whether notebooks become scripts."""

    languages: frozenset[str]
    licenses: frozenset[str]
    scripts: bool


@dataclass(frozen=True)
class Stated:
    """What a source's params say of its licence, for what does not say its own or, with `overrides`, for all of it."""

    found: Found | None = None
    overrides: bool = False

    def instead_of(self, own: Found | None) -> Found | None:
        """What counts where a file, row or folder says `own`."""
        return self.found if self.overrides or own is None else own


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
    exclude_paths: Mapping[str, int] = field(default_factory=dict)  # files that each pattern matches
    # (repository, licence, where it was found) -> [source files, documents] of the present unit
    found: defaultdict[tuple[str, str | None, str | None], list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))

    def note(self, repo: str, found: Found | None, documents: int) -> None:
        """Count a source file under what its repository or it states, and whether it became a document."""
        counts = self.found[repo, found.expression if found else None, found.where if found else None]
        counts[0] += 1
        counts[1] += documents

    def repositories(self, source: str) -> Iterator[dict[str, Any]]:
        """The rows of the table of repositories for the present unit, which ends with them."""
        for (repo, expression, where), (files, documents) in sorted(self.found.items(), key=lambda item: [name or "" for name in item[0]]):
            yield {"source": source, "repo": repo, "license": expression, "found_in": where, "files": files, "documents": documents}
        self.found.clear()

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

    def drop_license(self, found: Found | None) -> None:
        """Count a file whose licence is not allowed or, without an SPDX expression, not known."""
        self.drop(units.LICENSE)
        if found and found.expression:
            self.licenses_not_allowed[found.expression] += 1
        else:
            self.licenses_unknown[" ".join(found.words.split())[:60] if found and found.words else "nothing stated"] += 1


class Params(Protocol):
    shards: int
    sources: Sequence[Source]
    licenses: Licenses
    languages: Sequence[str]
    notebooks: Literal["cells", "json"]


def run(job: Job[Params]) -> dict[str, Any]:
    """Collect the shard named by the instance into `documents`, and what its repositories state into `repositories`."""
    shard = int(job.instance)
    allowed = frozenset(name.casefold() for name in job.params.licenses.allow)
    rules = Rules(languages.known(job.params.languages), allowed, job.params.notebooks == "cells")
    tallies: dict[str, Tally] = {}
    counts: Counter[str] = Counter(read=0, empty=0, excluded=0)
    commits: dict[str, str] = {}
    with TableWriter(job.output("documents"), DOCUMENTS) as writer, TableWriter(job.output("repositories"), REPOSITORIES) as stating:
        for source in job.params.sources:
            excluded = Exclusions(source.name, source.exclude_paths)
            tally = tallies[source.name] = Tally(exclude_paths=excluded.matched)
            expression = licenses.spdx(source.license) if source.license else None
            stated = Stated(Found(expression, licenses.OF_SOURCE) if expression else None, source.license_precedence == "override")
            with _readable(f"source {source.name}"):
                listed = selected(source, list_units(source, job.work_root.parent / "git", job.work_root / job.key))
                mine = [(unit, wanted) for unit, wanted in listed if units.home(unit.name, job.params.shards) == shard]
            counts["excluded"] += sum(not wanted for _, wanted in mine)
            for unit, wanted in tqdm(mine, desc=f"collect {job.instance} {source.name}", unit="unit", mininterval=10):
                if not wanted:
                    continue
                with _readable(f"source {source.name}: {unit.name}"):
                    content = unit.open()
                seen = tally.seen
                if isinstance(content, Repository):
                    commits.update(content.facts)
                    writer.write_all(repository_documents(unit.name, content, rules, source.limit_files, excluded, stated, tally))
                else:
                    writer.write_all(table_documents(content, rules, excluded, stated, tally))
                stating.write_all(tally.repositories(source.name))
                counts["read"] += 1
                counts["empty"] += tally.seen == seen
            said = list(shortfalls(source.name, tally.seen, tally.dropped, tally.licenses_unknown))
            said += unmatched(source.name, excluded.matched, " in this shard") if tally.seen else ()
            for sentence in said:
                print(f"collect {job.instance}: {sentence}", file=sys.stderr)
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
                "exclude_paths": dict(tally.exclude_paths),
            }
            for name, tally in tallies.items()
        },
        "broken_rows": [where for tally in tallies.values() for where in tally.broken_rows][:EXAMPLES],
    }


def repository_documents(
    name: str, repository: Repository, rules: Rules, limit: int | None, excluded: Exclusions, stated: Stated, tally: Tally
) -> Iterator[dict[str, Any]]:
    """The documents of one repository, at most `limit` per language. A file's own statement counts before the repository's, but lets
    nothing out of a tree or folder that is under another licence; what is excluded by its path may state the licence of other files."""
    tally.seen += len(repository.files) + sum(repository.refused.values())
    for reason, count in repository.refused.items():
        tally.drop(reason, count)
    terms_of = terms.terms(repository.files, repository.read, repository.found).of
    sources: dict[str, Found | None] = {}  # and what counts for each before its own header
    for path in repository.files:
        if path in excluded:
            tally.drop(units.EXCLUDE_PATHS)
            continue
        if not rules.languages.intersection(languages.candidates(path)):
            tally.drop(units.LANGUAGE)
            continue
        found = stated.instead_of(terms_of(path))
        if found is None or found.expression is None or _allows_some(found.expression, rules):
            sources[path] = found
        else:
            tally.drop_license(found)
            tally.note(name, found, 0)
    chosen = limited(sources, limit) if limit else frozenset(sources)
    tally.drop(units.LIMIT_FILES, len(sources) - len(chosen))
    for path, raw in repository.read(chosen):
        found = sources[path]
        content, language = (raw, None) if isinstance(raw, Refusal) else _read(raw, path, None, rules)
        if isinstance(content, Refusal):
            tally.drop_refused(content)
            tally.note(name, found, 0)
            continue
        own = None if stated.overrides else license_texts.in_header(content)
        if own and found and found.expression:
            own = licenses.which_bsd(own, found.expression)
        found = Found(own, OF_FILE) if own and _may_say(own, found, rules) else found
        yield from _document(name, path, content, language, found, rules, tally, last_commit=repository.last_commit)


def _allows_some(expression: str, rules: Rules) -> bool:
    """Whether an expression is allowed, or is of several licences one of which is, so that a file may say that this one is its own."""
    return licenses.permitted(expression, rules.licenses) or any(
        licenses.permitted(name, rules.licenses) for name in licenses.families(expression)
    )


def _may_say(own: str, found: Found | None, rules: Rules) -> bool:
    if found is None or found.expression is None or licenses.permitted(found.expression, rules.licenses):
        return True
    return licenses.families(own) <= licenses.families(found.expression)


def limited(paths: Iterable[str], limit: int) -> frozenset[str]:
    """At most `limit` paths of each language, those whose names hash lowest: independent of content and of the other files."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for path in paths:
        groups[languages.candidates(path)[0]].append(path)
    return frozenset(path for group in groups.values() for path in heapq.nsmallest(limit, group, key=units.rank))


def table_documents(table: Table, rules: Rules, excluded: Exclusions, stated: Stated, tally: Tally) -> Iterator[dict[str, Any]]:
    """The documents of one data file; `stated` is the licence of the rows that do not say their own."""
    for row in table.rows():
        tally.seen += 1
        if isinstance(row, Refusal):
            tally.drop_refused(row)
            continue
        if row.path in excluded:
            tally.drop(units.EXCLUDE_PATHS)
            continue
        content, language = _read(row.content, row.path, row.language, rules)
        if isinstance(content, Refusal):
            tally.drop_refused(content)
            continue
        if not (units.is_unicode(row.repo) and units.is_unicode(row.path)):
            tally.drop(units.INVALID_PATH)
            continue
        known = [licenses.spdx(statement) for statement in row.license or ()]
        expression = licenses.all_of(name for name in known if name) if all(known) else None
        found = stated.instead_of(Found(expression, OF_ROW, "; ".join(row.license)) if row.license else None)
        yield from _document(row.repo, row.path, content, language, found, rules, tally, stars=row.stars, last_commit=row.last_commit)


def _read(raw: bytes | str, path: str, stated: str | None, rules: Rules) -> tuple[str | Refusal, str | None]:
    """The text of a file or row as every later stage sees it, or why it is none, and its language: `stated`, else by path and content."""
    text = text_of(raw)
    if isinstance(text, Refusal):
        return text, None
    language = languages.language_of(path, text) if stated is None else languages.canonical(stated)
    if rules.scripts and language == notebooks.LANGUAGE and language in rules.languages:
        script = notebooks.script(text)
        text = Refusal(units.BROKEN_NOTEBOOK) if script is None else text_of(script)
    return text, language


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
    repo: str, path: str, content: str, language: str | None, found: Found | None, rules: Rules, tally: Tally, **known: Any
) -> Iterator[dict[str, Any]]:
    """The document with what else is `known` of it, counted, or nothing when its language or licence leaves it out."""
    if language not in rules.languages:
        tally.drop(units.LANGUAGE)
        return
    expression = found.expression if found else None
    if expression is None or not licenses.permitted(expression, rules.licenses):
        tally.note(repo, found, 0)
        tally.drop_license(found)
        return
    tally.note(repo, found, 1)
    document = {
        "id": document_id(content),
        "repo": repo,
        "path": path,
        "language": language,
        "license": expression,
        "content": content,
        "size": len(content.encode()),
        **known,
    }
    tally.keep(document)
    yield document

"""Opt-outs: the lists of repositories and of documents that params.opt_out names, to be left out of the corpus.

A list has one entry a line; what follows a `#` is a comment. Repositories are written as the corpus names them, OWNER/NAME for those of
GitHub, in any case. A document is written as the SHA-256 of its text in UTF-8, 64 hex digits, which is that of the file's bytes
(`sha256sum FILE`) with or without a byte order mark; or by its `id`, 32 hex digits, which also names a notebook that became a script.
"""

from __future__ import annotations

import codecs
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snow.errors import SnowError

if TYPE_CHECKING:
    from snow.corpus.filter import Params
    from snow.schema import OptOut

REASON = "opted_out"  # in decisions and receipts
_FORMS = {
    "repositories": (re.compile(r"[^\s/:]+(/[^\s/:]+)*"), "a repository as the corpus names it, as in OWNER/NAME"),
    "hashes": (re.compile(r"[0-9a-f]{64}|[0-9a-f]{32}"), "a SHA-256 of 64 hex digits or a document's id of 32"),
}


class OptOuts:
    """What is left out. `matched` counts, for each list, the documents that each entry left out; a document can be on both lists."""

    def __init__(self, given: OptOut) -> None:
        """SnowError for a list that cannot be read, or a line that is no entry."""
        self.entries = {name: frozenset(_entries(name, file)) for name, file in _files(given)}
        self.matched = {name: Counter[str]() for name in self.entries}
        self._hashes, self._repositories = (self.entries.get(name, frozenset()) for name in ("hashes", "repositories"))

    def hold(self, document: Mapping[str, Any]) -> bool:
        """Whether a document is on a list, counted."""
        named = document["repo"].casefold()
        found = [("repositories", named)] if named in self._repositories else []
        if self._hashes:
            found += [("hashes", one) for one in _names_of(document) if one in self._hashes]
        for name, entry in found:
            self.matched[name][entry] += 1
        return bool(found)

    def facts(self) -> dict[str, Any]:
        """By list, how many entries it has, and those that left out documents of this shard with their number."""
        return {
            name: {"entries": len(entries), "matched": dict(sorted(self.matched[name].items()))} for name, entries in self.entries.items()
        }


def fingerprint(params: Mapping[str, Params], env: str) -> dict[str, dict[str, str | None]]:
    """`{instance: {list: digest of its entries}}`, of their meaning: order, comments and case do not count. None for a list that does
    not lie here: the job names it. Raises SnowError for a line that is no entry."""
    given = next(iter(params.values())).opt_out  # the same for all shards
    known = {name: _digest(_entries(name, file)) if Path(file).expanduser().is_file() else None for name, file in _files(given)}
    return dict.fromkeys(params, known)


def _files(given: OptOut) -> Iterator[tuple[str, str]]:
    return ((name, file) for name in _FORMS if (file := getattr(given, name)) is not None)


def _entries(name: str, file: str) -> Iterator[str]:
    form, meant = _FORMS[name]
    try:
        lines = Path(file).expanduser().read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SnowError(f"opt_out.{name}: {file} cannot be read as a text file ({error}); correct its path in params.yaml") from None
    for number, line in enumerate(lines, start=1):
        entry = line.partition("#")[0].strip().casefold()
        if entry and not form.fullmatch(entry):
            raise SnowError(f"opt_out.{name}: {file}, line {number}: {line.strip()[:100]!r} is not {meant}; correct or remove it")
        if entry:
            yield entry


def _digest(entries: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(set(entries))).encode()).hexdigest()


def _names_of(document: Mapping[str, Any]) -> Iterator[str]:
    text = document["content"].encode()
    yield document["id"]
    yield hashlib.sha256(text).hexdigest()
    yield hashlib.sha256(codecs.BOM_UTF8 + text).hexdigest()

"""Stage `redact`: what the filters left, with a marker in place of each e-mail address, public IP address, key and password.

There are such jobs only where params.redaction asks for them; all later stages then read what they write. Documents keep their order,
and an `id` that is of the text as it is now. `redactions` says of every document which it was and how many of each kind it held. Where
spans of two kinds meet, a key or password counts before an address. Memory is one batch of documents.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
from tqdm import tqdm

from snow.corpus import addresses, credentials
from snow.corpus.credentials import Span
from snow.tables import DOCUMENTS, TableWriter, document_id, read_rows

if TYPE_CHECKING:
    from snow.job import Job
    from snow.schema import Redaction

SECRETS = ("key", "password")
KINDS = ("email", "ip_address", *SECRETS)
REDACTIONS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),  # of the document as it is in `documents`
        pa.field("original", pa.string(), nullable=False),  # its id before, the same where nothing was found
        *(pa.field(kind, pa.int32(), nullable=False) for kind in KINDS),  # how many were replaced
    ]
)


class Params(Protocol):
    redaction: Redaction


class Redactor:
    """Finds what the markers are for, and puts them in its place."""

    def __init__(self, markers: Redaction, cache: Path | None = None) -> None:
        """`cache` is a folder in which the detector's compiled rules are kept."""
        self._markers = {kind: marker.encode() for kind in KINDS if (marker := getattr(markers, kind)) is not None}
        self._detect = credentials.detector(cache) if "key" in self._markers else None

    @property
    def kinds(self) -> list[str]:
        """What is looked for."""
        return list(self._markers)

    def redact(self, content: str, language: str) -> tuple[str, Counter[str]]:
        """The text with markers, and how many of each kind there are."""
        text = content.encode()
        pieces, counts, end = [], Counter[str](), 0
        for (start, stop), kind in self.spans(text, language):
            pieces += [text[end:start], self._markers[kind]]
            counts[kind] += 1
            end = stop
        return b"".join([*pieces, text[end:]]).decode() if pieces else content, counts

    def spans(self, text: bytes, language: str) -> list[tuple[Span, str]]:
        """What is to be replaced, in order and apart from each other."""
        found = list(self._secrets(text, language))
        for kind, look in (("email", addresses.emails), ("ip_address", addresses.ip_addresses)):
            found += ((span, kind) for span in look(text)) if kind in self._markers else ()
        return _apart((_of_characters(text, span), kind) for span, kind in found)

    def _secrets(self, text: bytes, language: str) -> Iterator[tuple[Span, str]]:
        if self._detect:
            for look in (self._detect, credentials.keys):
                yield from ((span, "key") for span in look(text))
        if "password" in self._markers:
            yield from ((span, "password") for span in credentials.passwords_in_urls(text))
        if not self._markers.keys().isdisjoint(SECRETS):
            named = ((span, "password" if is_password else "key") for span, is_password in credentials.named(text, language))
            yield from (one for one in named if one[1] in self._markers)


def _of_characters(text: bytes, span: Span) -> Span:
    """A span as wide as the characters that it begins and ends in."""
    start, end = span
    while start and text[start] & 0xC0 == 0x80:
        start -= 1
    while end < len(text) and text[end] & 0xC0 == 0x80:
        end += 1
    return start, end


def _apart(found: Iterable[tuple[Span, str]]) -> list[tuple[Span, str]]:
    """Of spans that overlap, secrets as one (a key, if any is) and in place of addresses, else the first."""
    apart: list[tuple[Span, str]] = []
    for (start, end), kind in sorted(found):
        if apart and start < apart[-1][0][1]:
            if kind not in SECRETS:
                continue
            (first, last), before = apart.pop()
            if before in SECRETS:
                start, end, kind = first, max(last, end), min(before, kind)
        apart.append(((start, end), kind))
    return apart


def run(job: Job[Params]) -> dict[str, Any]:
    """documents -> documents and redactions; the receipt counts documents and what was replaced in them by kind, also by language."""
    redactor = Redactor(job.params.redaction, job.work_root.parent / "detector")
    size_in = size = 0
    total, documents, languages = Counter[str](), Counter[str](), defaultdict[str, Counter[str]](Counter)
    rows = tqdm(read_rows(job.input("documents")), desc=f"redact {job.instance}", unit="doc", mininterval=10)
    with TableWriter(job.output("documents"), DOCUMENTS) as writer, TableWriter(job.output("redactions"), REDACTIONS) as redactions:
        for row in rows:
            content, counts = redactor.redact(row["content"], row["language"])
            now = {**row, "content": content, "id": document_id(content), "size": len(content.encode())} if counts else row
            writer.write(now)
            redactions.write({"id": now["id"], "original": row["id"], **{kind: counts[kind] for kind in KINDS}})
            size_in, size = size_in + row["size"], size + now["size"]
            total.update(counts)
            documents.update(counts.keys())
            languages[row["language"]].update(counts)
    return {
        "documents_in": writer.rows,
        "documents": writer.rows,
        "bytes_in": size_in,
        "bytes": size,
        "dropped": {},
        "kinds": {kind: {"documents": documents[kind], "found": total[kind]} for kind in redactor.kinds},
        "languages": {name: dict(sorted(counts.items())) for name, counts in sorted(languages.items()) if counts},
    }

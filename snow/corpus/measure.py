"""Stage `measure`: the signals of every document, kept and dropped alike, so that a changed threshold decides again without measuring.

One row per document, in the documents' order, joined by `id`. Memory is one batch of documents.
"""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
from tqdm import tqdm

from snow.corpus import signals, words
from snow.tables import TableWriter, read_rows

if TYPE_CHECKING:
    from snow.job import Job
    from snow.schema import Signals

SIGNALS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("characters", pa.int64(), nullable=False),
        pa.field("lines", pa.int64(), nullable=False),
        pa.field("max_line_length", pa.int64(), nullable=False),
        pa.field("mean_line_length", pa.float64(), nullable=False),
        pa.field("alphabetic", pa.float64(), nullable=False),  # shares of the characters, here and below
        pa.field("alphanumeric", pa.float64(), nullable=False),
        pa.field("visible_alphabetic", pa.float64(), nullable=False),  # of the characters that are no blanks, as digits
        pa.field("digits", pa.float64(), nullable=False),
        pa.field("whitespace", pa.float64(), nullable=False),
        pa.field("replacement", pa.float64(), nullable=False),
        pa.field("encoded_run", pa.int64(), nullable=False),
        pa.field("encoded_fraction", pa.float64(), nullable=False),
        pa.field("vendored", pa.string(), nullable=False),  # why, "" where it is not; so the next two
        pa.field("minified", pa.string(), nullable=False),
        pa.field("generated", pa.string(), nullable=False),
        pa.field("generation_words", pa.bool_(), nullable=False),
        pa.field("xml", pa.bool_(), nullable=False),
        pa.field("html_text", pa.int64()),  # null where the language is not HTML
        pa.field("html_fraction", pa.float64()),
        pa.field("parses", pa.bool_()),  # null where the language is not Python, and where it could not be measured
    ]
)
COMMENTS = pa.field("comments", pa.float64())  # only where params.signals.comments asks for it; null: language not known
WORDS = [  # only where params.signals.words asks for it
    pa.field(name, pa.int64() if name == "words" else pa.float64(), nullable=False) for name in words.measure("", "")
]


def schema(settings: Signals) -> pa.Schema:
    """The signals table's columns under these settings."""
    return pa.schema([*SIGNALS, *([COMMENTS] if settings.comments else []), *(WORDS if settings.words else [])])


class Params(Protocol):
    signals: Signals


def run(job: Job[Params]) -> dict[str, Any]:
    """Measure the input `documents` into `signals`; the receipt counts what could not be measured, by signal."""
    settings = job.params.signals
    counts: Counter[str] = Counter(documents=0, bytes=0)
    unmeasured: Counter[str] = Counter()
    documents = read_rows(job.input("documents"), ["id", "language", "path", "content"])
    with TableWriter(job.output("signals"), schema(settings)) as writer:
        for document in tqdm(documents, desc=f"measure {job.instance}", unit="doc", mininterval=10):
            row = signals.measure(document["content"], document["language"], document["path"], settings)
            writer.write({"id": document["id"], **row})
            counts.update(documents=1, bytes=row["bytes"])
            unmeasured.update(name for name in signals.applicable(document["language"], settings) if row[name] is None)
    return {
        **counts,
        "unmeasured": dict(sorted(unmeasured.items())),
        "grammar": f"Python {sys.version_info.major}.{sys.version_info.minor}",  # whose parser decided `parses`
    }

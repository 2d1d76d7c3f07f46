"""Drop every document that contains a benchmark's statement or solution, and tell by which match."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
from tqdm import tqdm

from snow import tables
from snow.corpus import benchmarks, matching

if TYPE_CHECKING:
    from snow.job import Job
    from snow.schema import Decontamination

MATCHES = pa.schema(
    [
        pa.field("suite", pa.string(), nullable=False),
        pa.field("task_id", pa.string(), nullable=False),
        pa.field("method", pa.string(), nullable=False),  # substring, ngram or short
        pa.field("text_sha256", pa.string(), nullable=False),  # of the first matched text, never the text
        pa.field("matches", pa.int32(), nullable=False),  # different texts or n-grams of the task that matched
        pa.field("id", pa.string(), nullable=False),
        pa.field("repo", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
    ]
)


def inspect(documents: Iterable[dict[str, Any]], index: matching.Index) -> Iterator[tuple[dict[str, Any], list[matching.Match]]]:
    """Each document with what it shares with the benchmarks; a document with any match is contaminated as a whole."""
    for document in documents:
        yield document, matching.find(index, document["content"])


class Params(Protocol):
    decontamination: Decontamination


def run(job: Job[Params]) -> dict[str, Any]:
    """documents, suites -> documents, matches (one row per document, task and method); streamed."""
    known = benchmarks.read(job.inputs.get("suites", ()), job.params.decontamination)
    dropped = bytes_out = bytes_dropped = 0
    hits: Counter[tuple[str, str]] = Counter()
    with (
        tables.TableWriter(job.output("documents"), tables.DOCUMENTS) as documents,
        tables.TableWriter(job.output("matches"), MATCHES) as table,
    ):
        read = tqdm(tables.read_rows(job.input("documents")), desc=f"decontaminate {job.instance}", unit="document", mininterval=10)
        for document, matches in inspect(read, known.index):
            if not matches:
                documents.write(document)
                bytes_out += document["size"]
                continue
            dropped, bytes_dropped = dropped + 1, bytes_dropped + document["size"]
            hits.update({(match.suite, match.method) for match in matches})
            for match in matches:
                table.write({**vars(match), **{name: document[name] for name in ("id", "repo", "path")}})
    return {
        "documents_in": documents.rows + dropped,
        "documents": documents.rows,
        "bytes": bytes_out,
        "dropped": dropped,
        "bytes_dropped": bytes_dropped,
        "suites": {
            suite: {
                "tasks": known.tasks[suite],
                "findable_tasks": known.findable[suite],
                "documents_by_method": {method: hits[suite, method] for method in ("substring", "ngram", "short")},
            }
            for suite in sorted(known.tasks)
        },
    }

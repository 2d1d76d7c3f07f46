"""Drop every document that contains a benchmark's statement or solution, and tell by which match."""

from __future__ import annotations

from collections import Counter
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
        pa.field("method", pa.string(), nullable=False),  # substring, ngram, short or tokens
        pa.field("text_sha256", pa.string(), nullable=False),  # of the first matched text
        pa.field("matches", pa.int32(), nullable=False),  # different texts or n-grams of the task that matched
        pa.field("line", pa.int32(), nullable=False),  # the document's, from 1, at which the first matched text begins
        pa.field("document_lines", pa.string(), nullable=False),  # from there on, and
        pa.field("task_lines", pa.string(), nullable=False),  # what of the task they match: both cut, see snow/corpus/side_by_side.py
        pa.field("id", pa.string(), nullable=False),
        pa.field("repo", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
    ]
)
LISTED = 20  # of a suite's tasks of which no text can be found, named in the receipt


class Params(Protocol):
    decontamination: Decontamination


def run(job: Job[Params]) -> dict[str, Any]:
    """documents, suites -> documents, matches (one row per document, task and method); streamed."""
    known = benchmarks.read(job.inputs.get("suites", ()), job.params.decontamination)
    dropped = bytes_out = bytes_dropped = 0
    hits: Counter[tuple[str, str]] = Counter()
    methods = matching.EXACT if known.solutions is None else (*matching.EXACT, "tokens")
    with (
        tables.TableWriter(job.output("documents"), tables.DOCUMENTS) as documents,
        tables.TableWriter(job.output("matches"), MATCHES) as table,
    ):
        rows = tables.read_rows(job.input("documents"))
        for document in tqdm(rows, desc=f"decontaminate {job.instance}", unit="document", mininterval=10):
            matches = known.find(document["content"])
            if not matches:  # with any it is contaminated as a whole
                documents.write(document)
                bytes_out += document["size"]
                continue
            dropped, bytes_dropped = dropped + 1, bytes_dropped + document["size"]
            hits.update({(match.suite, match.method) for match in matches})
            for match, pair in zip(matches, known.side_by_side(document["content"], matches), strict=True):
                row = {**document, **vars(match), **vars(pair)}
                table.write({name: row[name] for name in MATCHES.names})
    return {
        "documents_in": documents.rows + dropped,
        "documents": documents.rows,
        "bytes": bytes_out,
        "dropped": dropped,
        "bytes_dropped": bytes_dropped,
        "suites": {
            suite: {
                "tasks": known.tasks[suite],
                "findable_tasks": known.tasks[suite] - len(known.hidden[suite]),
                "hidden_tasks": known.hidden[suite][:LISTED],
                "documents_by_method": {method: hits[suite, method] for method in methods},
            }
            for suite in sorted(known.tasks)
        },
    }

"""`score`: the annotator's score of every document of a shard, the mean over its top, middle and bottom sections [P 2.3].

A score is a function of the document and the annotator alone (see `encoder`) and is rounded to `DECIMALS`, so that another
number of threads or processor seldom shows.
"""

from __future__ import annotations

import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from snow.ahead import ahead
from snow.errors import SnowError
from snow.quality import encoder as encoders
from snow.quality import head as heads
from snow.quality.encoder import Encoder
from snow.quality.windows import all_sections
from snow.tables import TableWriter, read_batches

if TYPE_CHECKING:
    from snow.arms import Scoring
    from snow.job import Job
    from snow.quality.windows import Window

DECIMALS = 5
ROWS = {"cpu": 256, "cuda": 4096}  # documents scored together, and lost at most by an interruption
COLUMNS = ["id", "repo", "path", "language", "size"]


def schema(sections: Iterable[str]) -> pa.Schema:
    """One row per document; each section's score beside their mean."""
    return pa.schema(
        [
            *(pa.field(name, pa.int64() if name == "size" else pa.string(), nullable=False) for name in COLUMNS),
            *(pa.field(name, pa.float32(), nullable=False) for name in ("score", *sections)),
        ]
    )


def scored(tables: Iterable[tuple[dict[str, list[Any]], np.ndarray]], sections: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Rows of `schema` in document order, of batches and their scores (texts, sections); a NaN is a SnowError naming the document."""
    for batch, table in tables:
        for row, values in enumerate(table):
            if not np.isfinite(values).all():
                raise SnowError(f"document {batch['id'][row]} ({batch['path'][row]}) has the score {values}; the annotator is broken")
            named = dict(zip(sections, np.round(values, DECIMALS).tolist(), strict=True))
            yield {**{name: batch[name][row] for name in COLUMNS}, "score": round(float(values.mean()), DECIMALS), **named}


def keep(path: Path, table: np.ndarray) -> np.ndarray:
    """The scores of a batch, kept for the attempt after this one."""
    path.parent.mkdir(exist_ok=True)
    staged = path.with_suffix(".staged.npy")
    np.save(staged, table)
    os.replace(staged, path)
    return table


def windows_per_second(encoder: Encoder, window_tokens: int) -> float:
    """What one batch of full windows takes, after one to warm up."""
    rows = encoders.BATCH[encoder.device.type]
    distinct = [np.full(window_tokens, row % 1000 + 1, dtype=np.int32).tobytes() for row in range(rows)]
    encoders.embed(encoder, distinct, window_tokens)
    begin = time.perf_counter()
    encoders.embed(encoder, distinct, window_tokens)
    return rows / (time.perf_counter() - begin)


class Params(Protocol):
    scoring: Scoring


def run(job: Job[Params]) -> dict[str, Any]:
    """documents, annotator -> scores, row-aligned with the documents. Memory is one batch of documents."""
    settings, documents = job.params.scoring, job.input("documents")
    encoder, head = heads.load(job.input("annotator"), job.threads, settings.precision)
    if settings.window_tokens > encoder.max_tokens:
        key = f"annotators.{job.instance.partition('/')[0]}.scoring.window_tokens"
        raise SnowError(f"{key} is {settings.window_tokens}, but the annotator takes at most {encoder.max_tokens}")
    total = pq.read_metadata(documents).num_rows
    seconds = total * len(settings.sections) / windows_per_second(encoder, settings.window_tokens) if total else 0
    print(
        f"score {job.instance}: {total} documents, at most {total * len(settings.sections)} windows of {settings.window_tokens} tokens, "
        f"{settings.precision} on {encoder.device.type}: about {seconds:.0f} s",
        file=sys.stderr,
    )

    def windows(numbered: tuple[Path, dict[str, list[Any]]]) -> list[tuple[Window, ...]] | None:
        kept, batch = numbered  # by an attempt that was interrupted
        return None if kept.exists() else all_sections(encoder.tokenizer, batch["content"], settings.sections, settings.window_tokens)

    def compute(found: list[tuple[Window, ...]]) -> np.ndarray:
        return heads.window_scores(encoder, head, found, len(settings.sections), settings.window_tokens)

    def tables() -> Iterator[tuple[dict[str, list[Any]], np.ndarray]]:
        read = read_batches(documents, [*COLUMNS, "content"], ROWS[encoder.device.type])
        numbered = ((job.work / encoder.device.type / f"{number:06}.npy", batch.to_pydict()) for number, batch in enumerate(read))
        # A GPU would wait for windows as long as it takes to score them.
        cut = ahead(numbered, windows) if encoder.device.type == "cuda" else ((each, windows(each)) for each in numbered)
        for (kept, batch), found in cut:
            table = np.load(kept) if found is None else keep(kept, compute(found))
            bar.update(len(table))
            yield batch, table

    sums: dict[str, list[float]] = defaultdict(lambda: [0, 0.0])
    with (
        tqdm(total=total, desc=f"score {job.instance}", unit="document", mininterval=5, file=sys.stderr) as bar,
        TableWriter(job.output("scores"), schema(settings.sections)) as writer,
    ):
        for row in scored(tables(), settings.sections):
            writer.write(row)
            sums[row["language"]][0] += 1
            sums[row["language"]][1] += row["score"]
    return {
        "documents": writer.rows,
        "sections": list(settings.sections),
        "window_tokens": settings.window_tokens,
        "precision": settings.precision,
        "languages": {
            language: {"documents": count, "mean_score": round(total_score / count, DECIMALS)}
            for language, (count, total_score) in sorted(sums.items())
        },
    }

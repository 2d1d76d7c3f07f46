"""`minhash`: the signatures of a shard's documents, what deduplication needs to know of each, about 1.3 KB instead of its text.

A document is signed without its licence header, which it has in common with files that it has nothing else in common with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from tqdm import tqdm

from snow import tables
from snow.corpus import license_headers, minhash

if TYPE_CHECKING:
    from snow.job import Job
    from snow.schema import Dedup


def schema(bands: int) -> pa.Schema:
    """One row per document, aligned with the documents; `signature` and the band keys are null below `ngram` tokens."""
    return pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            pa.field("tokens", pa.int64(), nullable=False),
            # Which of several copies survives: `dedup.keep` says by which of these, in which order.
            pa.field("stars", pa.int64(), nullable=False),  # as the next: -1 where it is not known
            pa.field("last_commit", pa.int64(), nullable=False),  # milliseconds since 1970
            pa.field("depth", pa.int64(), nullable=False),  # folders the file lies in
            pa.field("size", pa.int64(), nullable=False),
            pa.field("lot", pa.int64(), nullable=False),  # for what is equal in all of them
            pa.field("signature", pa.binary()),  # uint32, little-endian
            *(pa.field(f"band_{band:03}", pa.uint64()) for band in range(bands)),
        ]
    )


def lot(repo: str, path: str) -> int:
    """A hash of the repository, so that of two forks one wins every file and stays whole, whatever the shard count; then of the path."""
    return _hash28(repo) << 28 | _hash28(path)


def _hash28(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big") >> 4


def text_buffers(column: pa.Array) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """The UTF-8 bytes of an Arrow string column and where each string ends, without copying the bytes."""
    _, offsets, data = column.buffers()
    ends = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    return np.frombuffer(data if data is not None else b"", np.uint8), ends.astype(np.int64)


def document_signatures(
    data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64], scheme: minhash.Scheme
) -> tuple[minhash.Words, npt.NDArray[np.int64]]:
    """Signatures and token counts (`minhash.signatures`) without licence headers; with it where nothing else makes a shingle."""
    bare = data.copy()
    headed = []
    for document, start in enumerate(offsets[:-1].tolist()):
        head = data[start : min(start + license_headers.LENGTH, offsets[document + 1])].tobytes().decode("latin-1")  # a byte a character
        for begin, end in license_headers.notices(head):
            bare[start + begin : start + end] = ord(" ")
            headed.append(document)
    rows, tokens = minhash.signatures(bare, offsets, scheme)
    for document in {document for document in headed if tokens[document] < scheme.ngram}:
        whole = data[offsets[document] : offsets[document + 1]]
        rows[[document]], tokens[[document]] = minhash.signatures(whole, np.array([0, len(whole)]), scheme)
    return rows, tokens


def sign(batches: Iterable[pa.RecordBatch], scheme: minhash.Scheme, bands: int, rows: int) -> Iterator[dict[str, Any]]:
    """Rows of `schema(bands)` for documents in order."""
    names = [name for name in schema(bands).names if name.startswith("band_")]
    for batch in batches:
        signatures, tokens = document_signatures(*text_buffers(batch.column("content")), scheme)
        keys = minhash.band_keys(signatures, bands, rows).tolist()
        columns = (batch.column(name).to_pylist() for name in ("id", "repo", "path", "size"))
        dates = pc.fill_null(batch.column("last_commit").cast(pa.int64()), -1).to_pylist()
        stars = pc.fill_null(batch.column("stars"), -1).to_pylist()
        for index, (identity, repo, path, size) in enumerate(zip(*columns, strict=True)):
            whole = tokens[index] >= scheme.ngram
            yield {
                "id": identity,
                "tokens": int(tokens[index]),
                "stars": stars[index],
                "last_commit": dates[index],
                "depth": path.count("/"),
                "size": size,
                "lot": lot(repo, path),
                "signature": signatures[index].astype("<u4").tobytes() if whole else None,
                **dict(zip(names, keys[index] if whole else [None] * bands, strict=True)),
            }


class Params(Protocol):
    seed: int
    dedup: Dedup


def run(job: Job[Params]) -> dict[str, Any]:
    """documents -> signatures, streamed; memory is a batch of documents."""
    settings = job.params.dedup
    bands, rows = minhash.bands(settings.threshold, settings.permutations)
    scheme = minhash.scheme(job.params.seed, settings.ngram, settings.permutations, settings.lowercase)
    documents = tables.read_batches(job.input("documents"), ["id", "repo", "path", "size", "content", "stars", "last_commit"])
    tokens = unsigned = 0
    with tables.TableWriter(job.output("signatures"), schema(bands)) as writer:
        for row in tqdm(sign(documents, scheme, bands, rows), desc=f"minhash {job.instance}", unit="document", mininterval=10):
            tokens += row["tokens"]
            unsigned += row["signature"] is None
            writer.write(row)
    return {"documents": writer.rows, "tokens": tokens, "too_short_to_sign": unsigned, "bands": bands, "rows_per_band": rows}

"""Stage `partition`: every repository whole in one shard, whatever data files its rows came from, and the shards of even size.

One pass over the collected documents in their order, each appended to its shard, after one or two over the names and sizes alone.
Memory is at most `BUFFERED` bytes of documents, however many shards there are, a row group of what is read, and what
`snow.corpus.balance` needs; compression takes the threads that the job is given. A shard that gets the same documents as before gets
the same bytes, and nothing behind it runs again.
"""

from __future__ import annotations

import contextlib
import resource
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from tqdm import tqdm

from snow.corpus import balance
from snow.tables import DOCUMENTS, ROW_GROUP_BYTES, read_batches

if TYPE_CHECKING:
    from snow.job import Job

BUFFERED = 512 << 20  # bytes, over all shards
UNEVEN = 1.3  # times the mean: what is above is said
READ_ROWS = 8192


class Params(Protocol):
    shards: int


class _Shard:
    """A shard that grows: batches are kept until there are `limit` bytes of them, and compressed on a thread, in order."""

    def __init__(self, path: Path, limit: int, pool: ThreadPoolExecutor) -> None:
        self.documents = self.bytes = 0
        self._limit, self._pool = limit, pool
        self._file = pq.ParquetWriter(path, DOCUMENTS, compression="zstd")
        self._kept: list[pa.RecordBatch] = []
        self._kept_bytes = 0
        self._writing: Future[None] | None = None

    def add(self, batch: pa.RecordBatch) -> None:
        self.documents += len(batch)
        self.bytes += pc.sum(batch.column("size")).as_py()
        self._kept.append(batch)
        self._kept_bytes += batch.nbytes
        if self._kept_bytes >= self._limit:
            self.flush()

    def flush(self) -> None:
        """Begin to write what is kept, after what is being written."""
        self._finish()
        if self._kept:
            table = pa.Table.from_batches(self._kept, DOCUMENTS)
            self._writing = self._pool.submit(self._file.write_table, table, row_group_size=len(table))
            self._kept, self._kept_bytes = [], 0

    def _finish(self) -> None:
        if self._writing is not None:
            self._writing.result()
            self._writing = None

    def close(self) -> None:
        self._finish()
        self._file.close()


def run(job: Job[Params]) -> dict[str, Any]:
    """documents of all parts -> documents, a folder with a table per shard."""
    paths, shards = job.inputs["documents"], job.params.shards
    places, loads = balance.moved(lambda: map(_sizes, paths), shards)
    folder = job.output("documents")
    folder.mkdir(parents=True)
    _allow_open_files(shards)
    limit = min(ROW_GROUP_BYTES, BUFFERED // shards)
    with ThreadPoolExecutor(job.threads) as pool, contextlib.ExitStack() as stack:
        made = [_Shard(folder / f"{shard:05d}.parquet", limit, pool) for shard in range(shards)]
        for shard in made:
            stack.callback(shard.close)
        for batch, of in _routed(paths, places, shards):
            made[of].add(batch)
        for shard in made:
            shard.flush()
    _say_uneven(loads)
    return {
        "documents": sum(shard.documents for shard in made),
        "bytes": sum(shard.bytes for shard in made),
        "shard_documents": [shard.documents for shard in made],
        "shard_bytes": [shard.bytes for shard in made],
        "moved": dict(sorted(places.items())),
    }


def _routed(paths: Sequence[Path], places: dict[str, int], shards: int) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Documents in their order as batches that belong to one shard each."""
    known = partial(balance.shard_of, places=places, shards=shards)
    for path in tqdm(paths, desc="partition", unit="part", mininterval=10):
        for batch in read_batches(path, rows=READ_ROWS):
            names = batch.column("repo").dictionary_encode()
            shard_of = np.fromiter(map(known, names.dictionary.to_pylist()), np.int64, len(names.dictionary))
            target = shard_of[names.indices.to_numpy(zero_copy_only=False)]
            for shard in np.unique(target):
                yield batch.take(pa.array(np.flatnonzero(target == shard))), int(shard)


def _sizes(path: Path) -> dict[str, int]:
    """Bytes by repository of one part."""
    columns = ["repo", "size"]
    table = pa.Table.from_batches(read_batches(path, columns, rows=1 << 16), pa.schema(map(DOCUMENTS.field, columns)))
    grouped = table.group_by("repo").aggregate([("size", "sum")])
    return dict(zip(grouped["repo"].to_pylist(), grouped["size_sum"].to_pylist(), strict=True))


def _allow_open_files(shards: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = shards + 256
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def _say_uneven(loads: Sequence[int]) -> None:
    largest, mean = max(loads), sum(loads) / len(loads)
    if largest > UNEVEN * mean:
        print(
            f"partition: the largest shard has {largest / mean:.1f} times the mean, because a repository is in one shard and some are "
            f"larger than that; fewer `shards` than {len(loads)} come out more even",
            file=sys.stderr,
        )

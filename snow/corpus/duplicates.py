"""`duplicates`: copies and near-copies over all shards, band by band, and who of each cluster survives.

Exact copies share a document id. Near-copies are pairs that collide in some LSH band and whose signatures agree in at least
`threshold` of the permutations: the collision alone also brings together one pair in seven at Jaccard 0.6 (25 bands of 10),
the agreement is an unbiased estimate of Jaccard with standard error sqrt(J (1 - J) / permutations), 0.029 at 0.7. Clusters are
the connected components of those pairs, as in The Stack.

Bounds, per document: about 170 bytes of memory (band keys, rows, their order while sorting, parents; bench/scale.py) and, with 256
permutations, 1040 bytes of scratch on disk under the job's work folder, mapped and read only where bands collide. Time per band is one
sort of the keys plus at most `linking.BUCKET` comparisons per document.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from snow import tables
from snow.corpus.linking import ID_WORDS, Evidence, Integers, components
from snow.errors import SnowError

if TYPE_CHECKING:
    from snow.job import Job
    from snow.schema import Dedup

CLUSTERS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("shard", pa.int32(), nullable=False),  # position of the shard among the inputs
        pa.field("row", pa.int64(), nullable=False),  # in that shard; ids are not unique before deduplication
        pa.field("cluster", pa.string(), nullable=False),  # id of the survivor
        pa.field("method", pa.string()),  # why it goes: exact (another copy has its id) or near; null for the survivor
        pa.field("survivor", pa.bool_(), nullable=False),
    ]
)


KEEP = {"stars": -1, "last_commit": -1, "depth": 1, "size": -1}  # of `dedup.keep`: 1 where the smallest survives, -1 the largest


def firsts(groups: Sequence[npt.NDArray[Any]], preferences: Sequence[Integers], rows: Integers) -> npt.NDArray[np.bool_]:
    """For each entry, whether it has the smallest (*preferences, row) among the entries equal to it in all of `groups`."""
    order = np.lexsort((rows, *reversed(preferences), *groups))
    changes = np.zeros(len(order), bool)
    changes[:1] = True
    for group in groups:
        changes[1:] |= group[order][1:] != group[order][:-1]
    marks = np.zeros(len(order), bool)
    marks[order[changes]] = True
    return marks


def clusters(ids: Evidence, roots: Integers, rows: Integers, preferences: Sequence[Integers]) -> Iterator[dict[str, Any]]:
    """One entry per clustered row: `row`, `id`, `cluster`, `method`, `survivor`. `rows` are all rows in clusters of two or more, and
    `preferences` theirs: the smallest of a cluster survives."""
    own, root = ids[rows], roots[rows]
    survivor = firsts([root], preferences, rows)
    copy = ~firsts([own[:, word] for word in range(ID_WORDS)], preferences, rows)
    chosen = np.flatnonzero(survivor)
    chosen = chosen[np.argsort(root[chosen])]
    leader = chosen[np.searchsorted(root[chosen], root)]  # position of each entry's survivor
    for position, row in enumerate(rows):
        yield {
            "row": int(row),
            "id": own[position].tobytes().hex(),
            "cluster": own[leader[position]].tobytes().hex(),
            "method": None if survivor[position] else "exact" if copy[position] else "near",
            "survivor": bool(survivor[position]),
        }


class Store:
    """Ids and signatures of all shards as two mapped files, plus readers of single columns that never hold a shard."""

    def __init__(self, paths: Sequence[Path], permutations: int, folder: Path) -> None:
        self.paths = paths
        schemas = [pq.read_schema(path) for path in paths]
        if any(schema.names != schemas[0].names for schema in schemas):
            raise SnowError("the signature shards have different bands; run minhash on all of them with the same dedup params")
        self.bands = [name for name in schemas[0].names if name.startswith("band_")]
        self.starts = np.cumsum([0, *(pq.read_metadata(path).num_rows for path in paths)])
        if self.starts[-1] == 0:
            raise SnowError("there are no documents to deduplicate: every signature shard is empty; look at the receipts of filter")
        # Written as files and mapped afterwards: pages that are written through a mapping stay in memory, and count.
        with (folder / "ids").open("wb") as ids, (folder / "signatures").open("wb") as signatures:
            for path in paths:
                for batch in tables.read_batches(path, ["id", "signature"]):
                    ids.write(bytes.fromhex("".join(batch.column(0).to_pylist())))
                    signed = batch.column(1).is_valid().to_numpy(zero_copy_only=False)
                    values = b"".join(batch.column(1).drop_null().to_pylist())
                    if len(values) != 4 * permutations * signed.sum():
                        raise SnowError(f"{path} was not signed with dedup.permutations {permutations}; run minhash again")
                    rows = np.zeros((len(batch), permutations), np.uint32)
                    rows[signed] = np.frombuffer(values, "<u4").reshape(-1, permutations)
                    signatures.write(rows.tobytes())
        self.ids = np.memmap(folder / "ids", np.uint32, "r", shape=(int(self.starts[-1]), ID_WORDS))
        self.signatures = np.memmap(folder / "signatures", np.uint32, "r", shape=(int(self.starts[-1]), permutations))

    def column(self, name: str) -> tuple[npt.NDArray[Any], Integers]:
        """The values of one column that are not null, and their rows."""
        values, rows = [], []
        for path, start in zip(self.paths, self.starts, strict=False):
            for batch in tables.read_batches(path, [name], rows=1 << 16):
                present = np.flatnonzero(batch.column(0).is_valid().to_numpy(zero_copy_only=False))
                values.append(batch.column(0).drop_null().to_numpy(zero_copy_only=False))
                rows.append(present + start)
                start += len(batch)
        return np.concatenate(values), np.concatenate(rows)

    def address(self, row: int) -> tuple[int, int]:
        """(shard, row in the shard) of a row over all shards."""
        shard = int(np.searchsorted(self.starts, row, side="right")) - 1
        return shard, row - int(self.starts[shard])


class Params(Protocol):
    dedup: Dedup


def run(job: Job[Params]) -> dict[str, Any]:
    """signatures of all shards -> duplicates, a folder with one table per shard, so that a shard whose verdicts stay the same stays
    current: one row per document in a cluster of two or more, in row order."""
    settings = job.params.dedup
    store = Store(job.inputs["signatures"], settings.permutations, job.work)
    bands = (store.column(name) for name in tqdm(store.bands, desc="bands", unit="band", mininterval=5))
    roots, work = components(np.asarray(store.ids), np.asarray(store.signatures), bands, settings.threshold)
    members = np.bincount(roots, minlength=len(roots))
    rows = np.flatnonzero(members[roots] > 1)
    preferences = [KEEP[name] * store.column(name)[0][rows] for name in settings.keep] + [store.column("lot")[0][rows]]
    dropped = {"exact": 0, "near": 0}
    with contextlib.ExitStack() as stack:
        folder = job.output("duplicates")
        writers = [stack.enter_context(tables.TableWriter(folder / path.name, CLUSTERS)) for path in store.paths]
        for entry in clusters(np.asarray(store.ids), roots, rows, preferences):
            shard, row = store.address(entry.pop("row"))
            writers[shard].write({**entry, "shard": shard, "row": row})
            if entry["method"]:
                dropped[entry["method"]] += 1
    return {
        "documents": len(roots),
        "clusters": int(np.count_nonzero(members > 1)),
        "largest_cluster": int(members.max()),
        "kept": len(roots) - sum(dropped.values()),
        "dropped": dropped,
        **work,
    }

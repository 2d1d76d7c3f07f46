"""`duplicates`: copies and near-copies over all shards, band by band, and who of each cluster survives.

Exact copies share a document id. Near-copies are pairs that collide in some LSH band and whose signatures agree in at least
`threshold` of the permutations: the collision alone also brings together one pair in seven at Jaccard 0.6 (25 bands of 10),
the agreement is an unbiased estimate of Jaccard with standard error sqrt(J (1 - J) / permutations), 0.029 at 0.7. Clusters are
the connected components of those pairs, as in The Stack.

Bounds, per document: 6 bytes of memory (its cluster and what becomes of it) beside some 100 MB for what is sorted at a time, and, with
256 permutations, 1052 bytes of scratch on disk under the job's work folder: ids and signatures, mapped and read only where bands
collide, and the keys of a band. Time per band is one sort of the keys plus at most `linking.BUCKET` comparisons per document.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from snow import tables
from snow.corpus import linking
from snow.corpus.linking import ID_WORDS, Evidence, Piece, Rows, chunks, components
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


def firsts(groups: Sequence[npt.NDArray[Any]], preferences: Sequence[npt.NDArray[Any]], rows: Rows) -> npt.NDArray[np.bool_]:
    """For each entry, whether it has the smallest (*preferences, row) among the entries equal to it in all of `groups`."""
    order = np.lexsort((rows, *reversed(preferences), *groups))
    changes = np.zeros(len(order), bool)
    changes[:1] = True
    for group in groups:
        changes[1:] |= group[order][1:] != group[order][:-1]
    marks = np.zeros(len(order), bool)
    marks[order[changes]] = True
    return marks


NOT_CLUSTERED, CLUSTERED, SURVIVOR, EXACT, NEAR = range(5)  # what becomes of a document; CLUSTERED is not decided yet
METHODS = {SURVIVOR: None, EXACT: "exact", NEAR: "near"}


class Verdicts:
    """What becomes of every document: `fate` and, of those in clusters, the row of the survivor in `leader`; the largest cluster's size."""

    def __init__(self, roots: Rows) -> None:
        """`roots` has the smallest row of each row's cluster, and is what `leader` is made in."""
        self.fate, self.leader, self.largest = np.full(len(roots), NOT_CLUSTERED, np.uint8), roots, 1
        for some in chunks(len(roots)):
            others = np.flatnonzero(roots[some] != np.arange(some.start, some.stop)) + some.start
            self.fate[others] = self.fate[roots[others]] = CLUSTERED

    def decide(self, ids: Evidence, preferences: Callable[[Rows], Sequence[npt.NDArray[Any]]]) -> None:
        """The smallest of each cluster by (*preferences, row) survives; some clusters at a time, whose rows are about `linking.PART`."""
        parts = -(-int(np.count_nonzero(self.fate)) // linking.PART)
        for part in range(parts):
            rows = np.concatenate([self._of(some, part, parts) for some in chunks(len(self.fate))])
            if not len(rows):
                continue
            own, root, order = ids[rows], self.leader[rows], preferences(rows)
            survivor = firsts([root], order, rows)
            copy = ~firsts([own[:, word] for word in range(ID_WORDS)], order, rows)
            chosen = rows[survivor][np.argsort(root[survivor])]
            _, cluster, sizes = np.unique(root, return_inverse=True, return_counts=True)
            self.largest = max(self.largest, int(sizes.max()))
            self.fate[rows] = np.where(survivor, SURVIVOR, np.where(copy, EXACT, NEAR))
            self.leader[rows] = chosen[cluster]

    def _of(self, some: slice, part: int, parts: int) -> Rows:
        here = np.flatnonzero((self.fate[some] == CLUSTERED) & (self.leader[some] % parts == part))
        return (here + some.start).astype(np.uint32)


class Store:
    """Ids and signatures of all shards as two mapped files, plus readers of single columns that never hold one."""

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

    def band(self, name: str) -> Iterator[Piece]:
        """The keys of a band, and their rows, which some documents have none of."""
        for start, column in self._batches(name):
            present = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
            yield column.drop_null().to_numpy(zero_copy_only=False), (present + start).astype(np.uint32)

    def column(self, name: str, rows: Rows) -> npt.NDArray[Any]:
        """The values of a column that every document has, at some rows, ascending."""
        values = []
        for start, column in self._batches(name):
            begin, end = np.searchsorted(rows, np.array([start, start + len(column)], rows.dtype))  # of another type, all were converted
            values.append(column.to_numpy(zero_copy_only=False)[rows[begin:end] - start])
        return np.concatenate(values)

    def _batches(self, name: str) -> Iterator[tuple[int, pa.Array]]:
        """One column of all shards, a batch at a time, and the row that each begins with."""
        for path, start in zip(self.paths, self.starts, strict=False):
            for batch in tables.read_batches(path, [name], rows=1 << 16):
                yield int(start), batch.column(0)
                start += len(batch)


class Params(Protocol):
    dedup: Dedup


def run(job: Job[Params]) -> dict[str, Any]:
    """signatures of all shards -> duplicates, a folder with one table per shard, so that a shard whose verdicts stay the same stays
    current: one row per document in a cluster of two or more, in row order."""
    settings = job.params.dedup
    store = Store(job.inputs["signatures"], settings.permutations, job.work)
    ids = np.asarray(store.ids)
    bands = (store.band(name) for name in tqdm(store.bands, desc="bands", unit="band", mininterval=5))
    roots, work = components(ids, np.asarray(store.signatures), bands, settings.threshold, job.work)

    def preferences(rows: Rows) -> list[npt.NDArray[Any]]:
        return [*(KEEP[name] * store.column(name, rows) for name in settings.keep), store.column("lot", rows)]

    verdicts = Verdicts(roots)
    verdicts.decide(ids, preferences)
    folder, ends = job.output("duplicates"), store.starts[1:]
    for shard, (path, begin, end) in enumerate(zip(store.paths, store.starts, ends, strict=False)):
        with tables.TableWriter(folder / path.name, CLUSTERS) as writer:
            for row in np.flatnonzero(verdicts.fate[begin:end]) + begin:
                fate = int(verdicts.fate[row])
                writer.write(
                    {
                        "id": ids[row].tobytes().hex(),
                        "shard": shard,
                        "row": int(row - begin),
                        "cluster": ids[verdicts.leader[row]].tobytes().hex(),
                        "method": METHODS[fate],
                        "survivor": fate == SURVIVOR,
                    }
                )
    counts = np.bincount(verdicts.fate, minlength=NEAR + 1).tolist()
    return {
        "documents": len(roots),
        "clusters": counts[SURVIVOR],
        "largest_cluster": verdicts.largest,
        "kept": len(roots) - counts[EXACT] - counts[NEAR],
        "dropped": {"exact": counts[EXACT], "near": counts[NEAR]},
        **work,
    }

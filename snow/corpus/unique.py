"""Keep one document of each cluster: a shard without its exact and near copies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from snow import tables
from snow.errors import SnowError

if TYPE_CHECKING:
    from snow.job import Job


def verdicts(clusters: Iterable[dict[str, Any]], shard: int) -> dict[int, tuple[str, str]]:
    """Row in the shard -> (id, method) of every document that goes."""
    return {entry["row"]: (entry["id"], entry["method"]) for entry in clusters if entry["shard"] == shard and not entry["survivor"]}


def survivors(documents: Iterable[dict[str, Any]], dropped: dict[int, tuple[str, str]]) -> Iterator[dict[str, Any]]:
    """The documents whose row is not in `dropped`. SnowError when a row does not hold the document that was clustered."""
    waiting = dict(dropped)
    for row, document in enumerate(documents):
        if row not in dropped:
            yield document
        elif waiting.pop(row)[0] != document["id"]:
            raise SnowError(
                f"row {row} is document {document['id']}, but {dropped[row][0]} was clustered there; run minhash and duplicates again"
            )
    if waiting:
        raise SnowError(f"row {min(waiting)} was clustered, but the shard ends before it; run minhash and duplicates again")


def run(job: Job[None]) -> dict[str, Any]:
    """documents and the duplicates of their shard -> documents. The instance is the shard's number.

    Memory is a row group and the shard's verdicts.
    """
    dropped = verdicts(tables.read_rows(job.input("duplicates")), int(job.instance))
    size = 0
    counts = {"exact": 0, "near": 0}
    for _, method in dropped.values():
        counts[method] += 1
    with tables.TableWriter(job.output("documents"), tables.DOCUMENTS) as writer:
        for document in survivors(tables.read_rows(job.input("documents")), dropped):
            writer.write(document)
            size += document["size"]
    return {"documents_in": writer.rows + len(dropped), "documents": writer.rows, "bytes": size, "dropped": counts}

"""What the synthesis tests start from: real files as two corpus shards with a selection, and jobs on them."""

from __future__ import annotations

import shutil
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from snow import tables
from snow.job import Job
from snow.synthesis import generate, requests
from tests import stage_runs
from tests.stage_runs import Inputs, params

SHARDS = 2


def documents() -> Iterator[dict[str, Any]]:
    """Some of the standard library and of the interpreter's C headers, as documents."""
    python = sorted(Path(sysconfig.get_path("stdlib"), "json").glob("*.py")) + sorted(Path(sysconfig.get_path("stdlib")).glob("t*.py"))[:8]
    headers = sorted(Path(sysconfig.get_path("include")).glob("*.h"))[:12]
    for path in [*python, *headers]:
        content = path.read_text()
        yield {
            "id": tables.document_id(content),
            "repo": "python",
            "path": path.name,
            "language": "Python" if path.suffix == ".py" else "C",
            "license": "PSF-2.0",
            "content": content,
            "size": len(content.encode()),
        }


def corpus(folder: Path) -> tuple[list[Path], Path]:
    """Two shards of documents, of which every second is selected; returns the shards' paths and the selection's."""
    shards: list[list[dict[str, Any]]] = [[] for _ in range(SHARDS)]
    for number, document in enumerate(documents()):
        shards[number // 2 % SHARDS].append(document)
    paths, selected = [], []
    for shard, rows in enumerate(shards):
        paths.append(folder / f"{shard:05}.parquet")
        with tables.TableWriter(paths[-1], tables.DOCUMENTS) as writer:
            writer.write_all(rows)
        for row in rows[::2]:
            selected.append(
                {name: row[name] for name in ("id", "language", "repo")} | {"shard": shard, "score": 1.0, "tokens": row["size"] // 4}
            )
    selected.sort(key=lambda row: (row["shard"], row["id"]))
    pq.write_table(pa.Table.from_pylist(selected), folder / "selection.parquet")
    return paths, folder / "selection.parquet"


def job(stage: str, instance: str, changes: Mapping[str, Any], inputs: Inputs, outputs: Mapping[str, Path]) -> Job[Any]:
    """A job as the runner makes it, params.yaml changed by dotted key, its state under the current folder's .snow."""
    return stage_runs.job(stage, instance, params(changes), inputs, outputs, Path(".snow/work"))


def ask(changes: Mapping[str, Any], corpus: tuple[list[Path], Path], generations: Path, shard: int = 0) -> dict[str, Any]:
    """Make the requests and have a shard of them answered, in the current folder; the facts of `generate`."""
    made = Path("requests")
    for folder in (made, Path(".snow/work")):  # of jobs that have ended
        shutil.rmtree(folder, ignore_errors=True)
    requests.run(job("requests", "inspired", changes, dict(zip(("documents", "selection"), corpus, strict=True)), {"requests": made}))
    given = {"requests": made / f"{shard:05}.parquet"}
    return generate.run(job("generate", f"inspired/{shard:05}", changes, given, {"generations": generations}))

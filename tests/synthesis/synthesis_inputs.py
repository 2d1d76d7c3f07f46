"""What the synthesis tests start from: real files as two corpus shards with a selection, and params for a generator."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from snow import params as settings
from snow import stages, tables
from snow.job import Job

ROOT = Path(__file__).parents[2]
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
    pq.write_table(pa.Table.from_pylist(selected), folder / "selected.parquet")
    return paths, folder / "selected.parquet"


def params(**changes: Any) -> settings.Params:
    """The repository's params with dotted changes, for example `params(**{"synthesis.requests": 4})`."""
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    for key, value in changes.items():
        section: Any = values
        *parents, last = key.split(".")
        for parent in parents:
            section = section[parent]
        section[last] = value
    return settings.check(values, "params.yaml")


def job(stage: str, given: settings.Params, inputs: dict[str, tuple[Path, ...]], outputs: dict[str, Path], instance: str = "all") -> Job:
    """A job as the runner makes it, with its state under the current folder's .snow."""
    kind = stages.stage(stage)
    view = settings.view(given, kind.reads(instance), stage)
    return Job(instance, view, inputs, outputs, 1, Path(".snow/work"), "test-key")

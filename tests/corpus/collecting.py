"""Running the `collect` stage in a test: sources in, documents and the receipt's facts out."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from snow import params as settings
from snow.corpus import collect as stage
from snow.job import Job
from snow.stages import STAGES

ROOT = Path(__file__).parents[2]
MIT = """MIT License

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation
files, to deal in the Software without restriction, subject to the following conditions: The above copyright notice and this
permission notice shall be included in all copies or substantial portions of the Software.
"""
GPL_3 = "GNU GENERAL PUBLIC LICENSE\n  Version 3, 29 June 2007\n"


@functools.cache
def _pocket() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "params.yaml").read_text())


def collect(
    folder: Path, *sources: dict[str, Any], shards: int = 1, shard: int = 0, **other: Any
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The documents and facts of one shard; every file must be accounted for."""
    values = _pocket() | {
        "shards": shards,
        "sources": [{"name": f"source{index}", **source} for index, source in enumerate(sources)],
        **other,
    }
    params = settings.check(values, "test")
    output = folder / "out" / f"{shard:05d}.parquet"
    repositories = folder / "repositories" / f"{shard:05d}.parquet"
    repositories.parent.mkdir(parents=True, exist_ok=True)
    view = settings.view(params, STAGES["collect"].job(params, f"{shard:05d}").params)
    job = Job(f"{shard:05d}", view, {}, {"documents": output, "repositories": repositories}, 1, folder / ".snow" / "work", "key")
    facts = stage.run(job)
    rows = pq.read_table(output).to_pylist()
    assert facts["files_seen"] == facts["documents"] + sum(facts["dropped"].values())
    assert facts["documents"] == len(rows)
    assert facts["bytes"] == sum(len(row["content"].encode()) for row in rows) == sum(row["size"] for row in rows)
    return rows, facts


def repository(root: Path, files: Mapping[str, str | bytes], text: str | None = MIT) -> Path:
    """A folder with these files and a LICENSE."""
    for name, content in {**({"LICENSE": text} if text else {}), **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root

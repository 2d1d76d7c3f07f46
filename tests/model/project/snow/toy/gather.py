"""Stage `gather`: the documents of one shard out of a folder outside the repository."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from snow.toy import lines

if TYPE_CHECKING:
    from snow.job import Job

MARK = ""


def files_of(folder: Path, shard: int, shards: int) -> list[Path]:
    """The files that belong to a shard, by the sum of their names' bytes."""
    return [path for path in sorted(folder.glob("*.txt")) if sum(path.name.encode()) % shards == shard]


def run(job: Job[Any]) -> dict[str, Any]:
    """One line per document."""
    files = files_of(Path(job.params.sources), int(job.instance), job.params.shards)
    texts = [f"{MARK}{path.stem} {path.read_text().strip()}" for path in files]
    return {"mark": [MARK, lines.END], "lines": lines.write(job.output("documents"), texts)}

"""Stage `merge`: duplicate lines of all shards removed, into one file per shard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snow.toy import lines

if TYPE_CHECKING:
    from snow.job import Job

MARK = ""


def run(job: Job[Any]) -> dict[str, Any]:
    """The first of equal lines stays, in the order of the shards. Ends are written as they were read."""
    seen: set[str] = set()
    folder = job.output("merged")
    folder.mkdir()
    for path in job.inputs["documents"]:
        kept = [line for line in lines.read(path) if not (line in seen or seen.add(line))]
        (folder / path.name).write_text("".join(f"{MARK}{line}\n" for line in kept))
    return {"mark": [MARK, lines.END], "lines": len(seen)}

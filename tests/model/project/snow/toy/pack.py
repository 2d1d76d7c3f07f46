"""Stage `pack`: one shard of a token set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snow.toy import lines

if TYPE_CHECKING:
    from snow.job import Job

MARK = ""


def run(job: Job[Any]) -> dict[str, Any]:
    """Every so many-th line of the shard."""
    taken = lines.read(job.input("documents"))[:: job.params.set.every]
    return {"mark": [MARK, lines.END], "lines": lines.write(job.output("tokens"), [MARK + line for line in taken])}

"""Stage `shape`: long lines cut; of each line, whether it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snow.toy import lines

if TYPE_CHECKING:
    from snow.job import Job

MARK = ""


def run(job: Job[Any]) -> dict[str, Any]:
    """Lines stay in order."""
    given, width = lines.read(job.input("documents")), job.params.shape.width
    lines.write(job.output("decisions"), ["cut" if len(line) > width else "whole" for line in given])
    return {"mark": [MARK, lines.END], "lines": lines.write(job.output("documents"), [MARK + line[:width] for line in given])}

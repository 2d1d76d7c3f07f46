"""Stage `suite`: the words of a benchmark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snow.toy import lines

if TYPE_CHECKING:
    from snow.job import Job

MARK = ""


def run(job: Job[Any]) -> dict[str, Any]:
    """One word to a line."""
    words = [MARK + word for word in job.params.suite.words]
    return {"mark": [MARK, lines.END], "lines": lines.write(job.output("suite"), words)}

"""Stage `screen`: what is left of a shard without the lines that name a word of any suite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snow.toy import lines

if TYPE_CHECKING:
    from snow.job import Job

MARK = ""


def run(job: Job[Any]) -> dict[str, Any]:
    """Lines of the shard that the merged shard has and that name no word."""
    words = {word.rstrip(".!") for path in job.inputs["suites"] for word in lines.read(path)}
    merged = set(lines.read(job.input("merged")))
    kept = [line for line in lines.read(job.input("documents")) if line in merged and not any(word in line for word in words)]
    shown = [line.lower() if job.params.screen.lower else line for line in kept]
    job.output("documents").write_text("".join(f"{MARK}{line}\n" for line in shown))
    return {"mark": [MARK, lines.END], "lines": len(kept)}

"""Stage `judge`: which words of a suite a model knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snow.toy import lines

if TYPE_CHECKING:
    from snow.job import Job

MARK = ""


def run(job: Job[Any]) -> dict[str, Any]:
    """One verdict per word, from the weights' first digit."""
    digit = int((job.input("model") / "weights.txt").read_text()[0], 16)
    words = lines.read(job.input("suite"))
    passed = [len(word) % 16 > digit if job.params.judge.strict else len(word) % 2 == digit % 2 for word in words]
    verdicts = [f"{MARK}{word} {'passed' if good else 'failed'}" for word, good in zip(words, passed, strict=True)]
    return {"mark": [MARK, lines.END], "lines": lines.write(job.output("verdicts"), verdicts)}

"""Benchmark suites as an index of the texts that must not be in a training corpus: what decontamination and refinement share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from snow.corpus import matching
from snow.errors import SnowError
from snow.suites.tasks import read_suite

if TYPE_CHECKING:
    from snow.schema import Decontamination


@dataclass(frozen=True)
class Benchmarks:
    """The index, and per suite how many tasks it has and how many of them can be found by at least one text."""

    index: matching.Index
    tasks: dict[str, int]
    findable: dict[str, int]


def read(paths: Sequence[Path], rules: Decontamination) -> Benchmarks:
    """Index the statements (docstring, instruction) and reference solutions of every task of every suite.

    A suite is named by its file. A suite of which no text can be found is a SnowError, and so is having no suite at all:
    decontamination against nothing would look like a clean corpus.
    """
    if not paths:
        raise SnowError("there is no benchmark suite to decontaminate against; name at least one in evaluation.suites")
    suites = {path.stem: read_suite(path) for path in paths}
    if len(suites) < len(paths):
        raise SnowError(f"two suites have the same file name: {', '.join(map(str, paths))}; give each suite a name of its own")
    texts = {
        (suite, task.task_id): [matching.Text(suite, task.task_id, text) for text in (*task.texts, task.solution)]
        for suite, tasks in suites.items()
        for task in tasks
    }
    index = matching.build((text for group in texts.values() for text in group), rules)
    # Counted by looking, so that a fault in the index is noticed before it passes a corpus as clean.
    suites_of_findable = [
        suite
        for (suite, task_id), group in texts.items()
        if any((match.suite, match.task_id) == (suite, task_id) for text in group for match in matching.find(index, text.text))
    ]
    findable = {suite: suites_of_findable.count(suite) for suite in suites}
    for suite, count in findable.items():
        if not count:
            raise SnowError(
                f"suite {suite}: none of its {len(suites[suite])} tasks has a text that can be found; "
                "check its file and the section decontamination of the params"
            )
    return Benchmarks(index, {suite: len(tasks) for suite, tasks in suites.items()}, findable)

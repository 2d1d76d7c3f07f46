"""Benchmark suites as an index of the texts that must not be in a training corpus: what decontamination and refinement share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from snow.corpus import evidence, matching
from snow.corpus.side_by_side import Pair
from snow.errors import SnowError
from snow.suites.tasks import read_suite

if TYPE_CHECKING:
    from snow.corpus import renamed
    from snow.schema import Decontamination
    from snow.suites.tasks import Task


@dataclass(frozen=True)
class Benchmarks:
    """The indexes, every task's texts by suite and task, and per suite how many tasks it has and which of them no text can be found of."""

    index: matching.Index
    solutions: renamed.Index | None  # None: the token pass is off
    texts: Mapping[tuple[str, str], Sequence[str]]
    tasks: dict[str, int]
    hidden: dict[str, list[str]]

    def find(self, text: str) -> list[matching.Match]:
        """What a text shares with the benchmarks by every pass, one Match per suite, task and method, in that order."""
        found = matching.find(self.index, text)
        if self.solutions is None:
            return found
        from snow.corpus import renamed

        return sorted([*found, *renamed.find(self.solutions, text)], key=lambda match: (match.suite, match.task_id, match.method))

    def side_by_side(self, document: str, matches: Sequence[matching.Match]) -> list[Pair]:
        """The lines of each match that `find` made of the document."""
        places = {}
        if self.solutions is not None:
            from snow.corpus import renamed

            places = renamed.places(self.solutions, document)
        return evidence.pairs(document, matches, self.texts, places)


def read(paths: Sequence[Path], rules: Decontamination) -> Benchmarks:
    """The benchmarks of these files; a suite is named by its file. Having none is a SnowError, and so is what `index` refuses:
    decontamination against nothing would look like a clean corpus."""
    if not paths:
        raise SnowError("there is no benchmark suite to decontaminate against; name at least one in evaluation.suites")
    suites = {path.stem: read_suite(path) for path in paths}
    if len(suites) < len(paths):
        raise SnowError(f"two suites have the same file name: {', '.join(map(str, paths))}; give each suite a name of its own")
    return index(suites, rules)


def index(suites: Mapping[str, Sequence[Task]], rules: Decontamination) -> Benchmarks:
    """Index the statements (docstring, instruction) and reference solutions of every task of every suite. A suite of which no text can
    be found is a SnowError."""
    tasks = [(suite, task) for suite, found in suites.items() for task in found]
    texts = {(suite, task.task_id): (*task.texts, task.solution) for suite, task in tasks}
    exact = matching.build((matching.Text(*key, text) for key, group in texts.items() for text in group), rules)
    solutions = None
    if rules.tokens is not None:
        from snow.corpus import renamed

        solutions = renamed.build(tasks, rules.tokens)
    known = Benchmarks(exact, solutions, texts, {suite: len(found) for suite, found in suites.items()}, {suite: [] for suite in suites})
    # By looking, so that a fault in the index is noticed before it passes a corpus as clean.
    for (suite, task_id), group in texts.items():
        if not any((match.suite, match.task_id) == (suite, task_id) for text in group for match in known.find(text)):
            known.hidden[suite].append(task_id)
    for suite, hidden in known.hidden.items():
        if len(hidden) == len(suites[suite]):
            raise SnowError(
                f"suite {suite}: none of its {len(suites[suite])} tasks has a text that can be found; "
                "check its file and the section decontamination of the params"
            )
    return known

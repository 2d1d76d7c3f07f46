"""`exclude_paths` of a source: files of its repositories left out by their paths, with the patterns and the meaning of .gitignore."""

from __future__ import annotations

from collections.abc import Sequence

from pathspec import GitIgnoreSpec, Pattern
from pathspec.util import normalize_file

from snow.errors import SnowError


class Exclusions:
    """Which paths are left out. `matched` counts, for each pattern by itself, the paths asked for that it matches."""

    def __init__(self, source: str = "", patterns: Sequence[str] = ()) -> None:
        """SnowError for a pattern that git would take for none."""
        self.matched = dict.fromkeys(patterns, 0)
        self._patterns: dict[str, Pattern] = {}
        for given in self.matched:
            try:
                read = [pattern for pattern in GitIgnoreSpec.from_lines([given]).patterns if pattern.include is not None]
            except ValueError:
                read = []
            if not read:
                raise SnowError(f"source {source}: exclude_paths: {given!r} matches nothing in a .gitignore; correct or remove it")
            self._patterns[given] = read[0]
        self._together = GitIgnoreSpec(self._patterns.values())

    def __contains__(self, path: str) -> bool:
        plain = normalize_file(path)
        found = [given for given, pattern in self._patterns.items() if pattern.match_file(plain)]
        for given in found:
            self.matched[given] += 1
        return bool(found) and self._together.match_file(plain)

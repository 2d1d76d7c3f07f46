"""`corpus/heldout.json`: the documents no model, tokenizer or classifier may learn from, by repository, folder or file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from snow.errors import SnowError

KINDS = ("repositories", "folders", "files")  # of what is held out, the largest first; the fields of `Heldout`


@dataclass(frozen=True)
class Heldout:
    """What is held out: whole repositories, and of others by name whole folders (with all below them) and single files."""

    repositories: frozenset[str] = frozenset()
    folders: Mapping[str, frozenset[str]] = field(default_factory=dict)
    files: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def holds(self, repo: str, path: str) -> bool:
        """Whether a document is held out: the one question that everything which trains asks."""
        if repo in self.repositories or path in self.files.get(repo, ()):
            return True
        return repo in self.folders and not self.folders[repo].isdisjoint(folders_of(path))


def folders_of(path: str) -> Iterator[str]:
    """The folders a file lies in, from the outermost to its own; none for a file at the root of its repository."""
    return (path[:place] for place, character in enumerate(path) if character == "/" and place)


def read_heldout(path: Path) -> Heldout:
    """What `write_heldout` wrote. Another file is a SnowError."""
    try:
        values = json.loads(path.read_text())
        inside = [{repo: frozenset(names) for repo, names in values.get(kind, {}).items()} for kind in ("folders", "files")]
        return Heldout(frozenset(values["repositories"]), *inside)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SnowError(f"{path} does not say what is held out ({error!r}); delete it and run `snow holdout` again") from None


def write_heldout(path: Path, heldout: Heldout) -> None:
    """As JSON, sorted: `{"repositories": [...], "folders": {repository: [...]}, "files": {repository: [...]}}`, the last two if any."""
    values: dict[str, list[str] | dict[str, list[str]]] = {"repositories": sorted(heldout.repositories)}
    for kind, inside in (("folders", heldout.folders), ("files", heldout.files)):
        if inside:
            values[kind] = {repo: sorted(names) for repo, names in sorted(inside.items())}
    path.write_text(json.dumps(values, indent=1) + "\n")

"""`holdout`: what is held out. Whole repositories where that is possible, because files of one repository resemble each other; of a
language that they leave short, whole folders of other repositories; of one that is still short, single files.

Each language aims at `heldout.fraction` of its bytes, at most `heldout.max_bytes`. Units of one kind are tried in the order of a
seeded hash of their names, so neither shard layout nor corpus order matters. No copy or near-copy of a held-out document is left on
the other side, since `unique` kept one of each cluster; docs/heldout.md says how alike the two sides are below that threshold.

Of repositories only so many are held in memory, in the order in which they are tried, as the targets may need; where a language does not
reach its own with them, the documents are read again for more. So memory grows with what is held out, and by 8 bytes a repository. Where
languages fall short of repositories, it is 0.93 kB a folder of those they lie in, then 0.61 kB a file of those languages alone.
"""

from __future__ import annotations

import functools
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from snow.corpus.heldout import KINDS, Heldout, folders_of, write_heldout
from snow.errors import SnowError
from snow.tables import read_tuples
from snow.tokens.seeded import SPAN, draw

if TYPE_CHECKING:
    from snow.job import Job

OVERSHOOT = 1.5  # no language may exceed this many times its target; one with less than its target by as much goes on to smaller units
SMALL_BYTES = 65_536  # where every file exceeds that bound: the smallest one, up to this, if it is at most half of its language
NAMED = ["repo", "path", "language", "size"]
AT_ONCE = 50_000  # repositories; of more, the first in order that hold about MARGIN times the targets are looked at
MARGIN = 4

Unit = tuple[str, ...]  # (repository), (repository, folder) or (repository, path)
Sizes = Mapping[Unit, Mapping[str, int]]  # -> language -> bytes
Read = Callable[[list[str]], Iterable[tuple[Any, ...]]]  # rows of these columns over all documents, as often as asked


def measure(rows: Iterable[tuple[Unit, str, int]]) -> dict[Unit, dict[str, int]]:
    """Bytes per unit and language from (unit, language, bytes); memory grows with units, not documents."""
    sizes: dict[Unit, dict[str, int]] = {}
    for unit, language, size in rows:
        languages = sizes.setdefault(unit, {})
        languages[language] = languages.get(language, 0) + size
    return sizes


class Choice:
    """What has been taken so far of each language, in bytes: in all and by kind of unit; and the bounds."""

    def __init__(self, total: Mapping[str, int], fraction: float, max_bytes: int, seed: int) -> None:
        self.total, self.seed = total, seed
        self.target = {language: min(fraction * size, max_bytes) for language, size in total.items()}
        self.limit = {language: OVERSHOOT * size for language, size in self.target.items()}
        self.held = dict.fromkeys(total, 0)
        self.by = {kind: dict.fromkeys(total, 0) for kind in KINDS}

    def short(self) -> set[str]:
        """Languages of which too little is held out to leave it at that."""
        return {language for language, size in self.target.items() if OVERSHOOT * self.held[language] < size}

    def fits(self, languages: Mapping[str, int]) -> bool:
        """Whether that much more takes no language over its limit."""
        return all(self.held[language] + size <= self.limit[language] for language, size in languages.items())

    def take(self, kind: str, sizes: Sizes, wanted: Iterable[str], until: Mapping[str, int] | None = None) -> set[Unit]:
        """For each wanted language, the largest first, units that fit until it has its target; of those up to the draw `until`, if any."""
        order = sorted((draw(self.seed, "heldout", *unit), unit) for unit in sizes)
        chosen: set[Unit] = set()
        for language in sorted(wanted, key=lambda name: (-self.total[name], name)):
            for number, unit in order:
                if self.held[language] >= self.target[language] or (until and number > until[language]):
                    break
                if language in sizes[unit] and unit not in chosen and self.fits(sizes[unit]):
                    self.add(kind, sizes[unit])
                    chosen.add(unit)
        return chosen

    def add(self, kind: str, languages: Mapping[str, int]) -> None:
        """Count a unit as held out."""
        for language, size in languages.items():
            self.held[language] += size
            self.by[kind][language] += size


def fitting(sizes: Sizes, fits: Callable[[Mapping[str, int]], bool]) -> dict[Unit, dict[str, int]]:
    """Of (repository, folder) with the bytes of its own files: the outermost folders that fit with all below them. None overlap."""
    whole = measure(
        ((repo, above), language, size)
        for (repo, folder), languages in sizes.items()
        for above in folders_of(f"{folder}/")
        for language, size in languages.items()
    )
    found = {}
    for repo, folder in sizes:
        outermost = next(((repo, above) for above in folders_of(f"{folder}/") if fits(whole[repo, above])), None)
        if outermost:
            found[outermost] = whole[outermost]
    return found


def choose(read: Read, fraction: float, max_bytes: int, seed: int) -> tuple[Heldout, dict[str, Any]]:
    """What is held out, and the facts: counts of units, and by language in `bytes` its `total`, `target`, `heldout` and that by kind.

    Of a language without any held-out text, `nothing` says why: its `files`, the bytes of the `smallest`, and how many were `allowed`.
    Raises SnowError when nothing of any language can be held out.
    """
    choice, whole, repositories = _of_repositories(read, fraction, max_bytes, seed)
    heldout = Heldout(whole)
    if short := choice.short():
        split = {repo for repo, language in read(["repo", "language"]) if language in short} - heldout.repositories
        rows = (row for row in read(NAMED) if row[0] in split)
        own = measure(((repo, path.rpartition("/")[0]), language, size) for repo, path, language, size in rows)
        heldout = replace(heldout, folders=_by_repository(choice.take("folders", fitting(own, choice.fits), short)))
    nothing: dict[str, dict[str, int]] = {}
    if short := choice.short():
        rows = (row for row in read(NAMED) if row[2] in short and not heldout.holds(row[0], row[1]))
        files = measure(((repo, path), language, size) for repo, path, language, size in rows)
        # Rows of a table may share a name: what is held out under it is counted whole.
        rows = (row for row in read(NAMED) if row[2] not in short and (row[0], row[1]) in files)
        for file, languages in measure(((repo, path), language, size) for repo, path, language, size in rows).items():
            files[file].update(languages)
        chosen = choice.take("files", files, short)
        for language in sorted(name for name in short if not choice.held[name]):
            smallest, found = _smallest(files, language, choice)
            if found["smallest"] <= found["allowed"]:
                choice.add("files", files[smallest])
                chosen.add(smallest)
            else:
                nothing[language] = found
        heldout = replace(heldout, files=_by_repository(chosen))
    by_language: dict[str, dict[str, Any]] = {
        language: {"heldout": choice.held[language], "target": int(choice.target[language]), "total": size}
        | {kind: choice.by[kind][language] for kind in KINDS}
        | ({"nothing": nothing[language]} if language in nothing else {})
        for language, size in choice.total.items()
    }
    if not any(choice.held.values()):
        raise SnowError(_too_small(repositories, by_language))
    within = {"heldout_folders": heldout.folders, "heldout_files": heldout.files}
    counts = {name: sum(map(len, inside.values())) for name, inside in within.items()}
    return heldout, {
        "repositories": repositories,
        "heldout_repositories": len(heldout.repositories),
        **counts,
        "bytes": by_language,
    }


def _of_repositories(read: Read, fraction: float, max_bytes: int, seed: int) -> tuple[Choice, frozenset[str], int]:
    """What is held out by repository: what has been taken, the names, and how many repositories there are."""
    number = functools.lru_cache(1 << 16)(functools.partial(draw, seed, "heldout"))
    total: dict[str, int] = defaultdict(int)
    seen, new = np.empty(0, np.uint64), set[int]()
    for repo, language, size in read(["repo", "language", "size"]):
        total[language] += size
        new.add(number(repo))
        if len(new) >= AT_ONCE:
            seen, new = np.union1d(seen, np.fromiter(new, np.uint64)), set()
    repositories = len(np.union1d(seen, np.fromiter(new, np.uint64)))
    total = dict(sorted(total.items()))
    choice = Choice(total, fraction, max_bytes, seed)
    share = {
        name: 1.0 if repositories <= AT_ONCE else min(1.0, MARGIN * choice.target[name] / size) for name, size in total.items() if size
    }
    until = {name: max(1, int(SPAN * share.get(name, 1.0))) for name in total}
    while True:
        near = {repo for repo, language in read(["repo", "language"]) if number(repo) <= until[language]}
        sizes = measure(((repo,), language, size) for repo, language, size in read(["repo", "language", "size"]) if repo in near)
        taken = choice.take("repositories", sizes, total, until)
        missing = [name for name in total if choice.held[name] < choice.target[name] and until[name] < SPAN]
        if not missing:
            return choice, frozenset(repo for (repo,) in taken), repositories
        until |= {name: min(SPAN, 16 * until[name]) for name in missing}
        choice = Choice(total, fraction, max_bytes, seed)


def _smallest(files: Sizes, language: str, choice: Choice) -> tuple[Unit, dict[str, int]]:
    """The smallest file of a language that has nothing held out, and the facts that decide whether it may be."""
    sizes = {file: languages[language] for file, languages in files.items() if language in languages}
    smallest = min(sizes, key=lambda file: (sizes[file], draw(choice.seed, "heldout", *file), file))
    allowed = int(max(choice.limit[language], min(choice.total[language] / 2, SMALL_BYTES)))
    return smallest, {"files": len(sizes), "smallest": sizes[smallest], "allowed": allowed}


def _by_repository(units: Iterable[Unit]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for repo, name in units:
        found[repo].add(name)
    return {repo: frozenset(names) for repo, names in found.items()}


def _too_small(repositories: int, facts: Mapping[str, Mapping[str, Any]]) -> str:
    """What to do when no file may be held out."""
    found = {name: language["nothing"] for name, language in facts.items()}
    files, size = sum(each["files"] for each in found.values()), sum(language["total"] for language in facts.values())
    told = f"the corpus is too small to hold anything out (repositories: {repositories}, files: {files}, bytes: {size}); add sources"
    shares = [(each["smallest"] / facts[name]["total"], name) for name, each in found.items() if each["files"] > 1]
    if not shares:
        return f"{told} to params.yaml: held-out text takes whole files, and of no language are there two"
    share, name = min(shares)
    fraction, most = math.ceil(1000 * share / OVERSHOOT) / 1000, math.ceil(found[name]["smallest"] / OVERSHOOT)
    return (
        f"{told} to params.yaml, or set heldout.fraction to {fraction} or more and heldout.max_bytes to {most} or more: the smallest "
        f"{name} file has {found[name]['smallest']} bytes"
    )


class Params(Protocol):
    seed: int
    fraction: float
    max_bytes: int


def run(job: Job[Params]) -> dict[str, Any]:
    """documents=[shards] -> heldout=JSON, see `write_heldout`: the choice alone, so that a corpus whose growth leaves the choice as it
    was makes nothing run again; bytes by language are in the receipt."""
    params = job.params

    def read(columns: list[str]) -> Iterator[tuple[Any, ...]]:
        return (row for path in job.inputs["documents"] for row in read_tuples(path, columns))

    heldout, facts = choose(read, params.fraction, params.max_bytes, params.seed)
    write_heldout(job.output("heldout"), heldout)
    return facts

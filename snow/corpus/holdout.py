"""`holdout`: which repositories are held out. Whole ones, because files of one repository resemble each other.

Each language aims at `heldout.fraction` of its bytes, at most `heldout.max_bytes`. Repositories are tried in the order of a
seeded hash of their names, so neither shard layout nor corpus order matters.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from snow.errors import SnowError
from snow.tables import read_tuples
from snow.tokens.seeded import draw

if TYPE_CHECKING:
    from snow.job import Job

OVERSHOOT = 1.5  # no language may exceed this many times its target ...
SMALL_BYTES = 65_536  # ... unless it is so small that half of it is below this: one ordinary file would break the rule
EVALUATED = "Python"  # the language of the benchmarks: at least one repository of it is held out

Sizes = Mapping[str, Mapping[str, int]]  # repository -> language -> bytes


def measure(rows: Iterable[tuple[Any, ...]]) -> dict[str, dict[str, int]]:
    """Bytes per repository and language from (repository, language, bytes); memory grows with repositories, not documents."""
    sizes: dict[str, dict[str, int]] = {}
    for repo, language, size in rows:
        languages = sizes.setdefault(repo, {})
        languages[language] = languages.get(language, 0) + size
    return sizes


def choose(sizes: Sizes, fraction: float, max_bytes: int, seed: int) -> list[str]:
    """The held-out repositories, sorted.

    A repository qualifies while no language it contains exceeds OVERSHOOT times its target (small languages: half of their
    bytes); the ones bigger than that, such as a standard library, are therefore never chosen. Where none of the languages'
    repositories qualifies, that language has no held-out text; Python then gives its smallest repository.
    Raises SnowError when nothing can be held out.
    """
    total = _per_language(sizes, sizes)
    target = {language: min(fraction * size, max_bytes) for language, size in total.items()}
    limit = {language: max(OVERSHOOT * target[language], min(size / 2, SMALL_BYTES)) for language, size in total.items()}
    order = sorted(sizes, key=lambda repo: (draw(seed, "heldout", repo), repo))
    held: dict[str, int] = defaultdict(int)
    chosen: set[str] = set()

    def take(repo: str) -> None:
        chosen.add(repo)
        for language, size in sizes[repo].items():
            held[language] += size

    for language in sorted(total, key=lambda name: (-total[name], name)):
        for repo in order:
            if held[language] >= target[language]:
                break
            if repo in chosen or language not in sizes[repo]:
                continue
            if all(held[name] + size <= limit[name] for name, size in sizes[repo].items()):
                take(repo)
    evaluated = [repo for repo in order if EVALUATED in sizes[repo]]
    if len(evaluated) > 1 and not chosen.intersection(evaluated):
        take(min(evaluated, key=lambda repo: (sum(sizes[repo].values()), repo)))
    if not chosen or len(chosen) == len(sizes):
        raise SnowError(
            f"the corpus is too small to hold anything out: {len(sizes)} repositories, {sum(total.values())} bytes after cleaning; "
            "add sources to params.yaml, or raise heldout.fraction so that one whole repository fits"
        )
    return sorted(chosen)


def summary(sizes: Sizes, chosen: Iterable[str]) -> dict[str, dict[str, int]]:
    """`{language: {"heldout": bytes, "total": bytes}}`, sorted by language."""
    total, held = _per_language(sizes, sizes), _per_language(sizes, chosen)
    return {language: {"heldout": held.get(language, 0), "total": total[language]} for language in sorted(total)}


def _per_language(sizes: Sizes, repositories: Iterable[str]) -> dict[str, int]:
    total: dict[str, int] = defaultdict(int)
    for repo in repositories:
        for language, size in sizes[repo].items():
            total[language] += size
    return dict(total)


class Params(Protocol):
    seed: int
    fraction: float
    max_bytes: int


def run(job: Job[Params]) -> dict[str, Any]:
    """documents=[shards] -> heldout=JSON `{"repositories": [...]}`: the choice alone, so that a corpus whose growth leaves the
    choice as it was makes nothing run again; bytes by language are in the receipt."""
    sizes = measure(row for path in job.inputs["documents"] for row in read_tuples(path, ["repo", "language", "size"]))
    chosen = choose(sizes, job.params.fraction, job.params.max_bytes, job.params.seed)
    per_language = summary(sizes, chosen)
    job.output("heldout").write_text(json.dumps({"repositories": chosen}, indent=1) + "\n")
    return {"repositories": len(sizes), "heldout_repositories": len(chosen), "bytes": per_language}

"""The way back: what an artifact is made of, from the models and token sets before it to the sources, as the receipts tell it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from snow.graph import Job
from snow.report.receipts import add
from snow.reserved import RANDOM
from snow.trace.lookup import Recipe
from snow.trace.way import Step, number

COUNTS = ("documents_in", "documents", "bytes", "tokens", "requests", "seed_documents", "clusters", "heldout_repositories")
Described = tuple[list[str], dict[str, Any]]


def jobs(recipe: Recipe, text: str) -> list[Job]:
    """The jobs of an artifact by its name, or of a file or folder of one artifact; none for another text."""
    named = [job for job in recipe.graph.jobs if job.artifact == text]
    makers = [recipe.graph.maker(output) for output in recipe.graph.sources_of(text.removeprefix("./").rstrip("/"))]
    return named or (makers if len({job.artifact for job in makers}) == 1 else [])


def steps(recipe: Recipe, wanted: Sequence[Job]) -> Iterator[Step]:
    """A step for each stage of each artifact behind these jobs: models first, then from what is nearest to what was collected."""
    behind = {job.name for job in wanted}
    for job in reversed(recipe.graph.jobs):
        if job.name in behind:
            behind.update(recipe.graph.upstream[job.name])
    groups: dict[tuple[str, str], list[Job]] = {}
    for job in reversed(recipe.graph.jobs):
        if job.name in behind:
            groups.setdefault((job.artifact, job.stage), []).append(job)
    for (artifact, stage), made in sorted(groups.items(), key=lambda item: item[0][1] != "pretrain"):
        told = [recipe.facts(job.stage, job.instance) for job in made]
        known = [facts for facts in told if facts is not None]
        if not known:
            yield Step(artifact, [f"not made yet: {made[0].receipt} does not exist"], {"missing": made[0].receipt})
            continue
        lines, facts = _DESCRIBED.get(stage, _plain)(recipe, made, add(known) if len(made) > 1 else known[0])
        lines += [f"{len(made) - len(known)} of {len(made)} shards are not made yet"] if len(known) < len(made) else []
        yield Step(artifact, lines, {"stage": stage, **facts})


def _plain(recipe: Recipe, made: Sequence[Job], facts: Mapping[str, Any]) -> Described:
    """What most stages count."""
    kept = {name: facts[name] for name in COUNTS if isinstance(facts.get(name), int)}
    dropped = facts.get("dropped", {})
    words = [f"{name.replace('_', ' ')} {value:,}" for name, value in kept.items()]
    words += [f"dropped {_counts(dropped)}"] if isinstance(dropped, dict) and any(dropped.values()) else []
    return [f"{made[0].stage}: {', '.join(words) or f'{len(made)} made'}"], {**kept, "dropped": dropped}


def _counts(facts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in facts.items() if count)


def _collected(recipe: Recipe, made: Sequence[Job], facts: Mapping[str, Any]) -> Described:
    sources = {name: {key: one[key] for key in ("files_seen", "documents", "bytes")} for name, one in facts["sources"].items()}
    lines = [f"source {name}: {one['documents']:,} documents of {one['files_seen']:,} files" for name, one in sources.items()]
    return lines, {"sources": sources}


def _trained(recipe: Recipe, made: Sequence[Job], facts: Mapping[str, Any]) -> Described:
    passes = ", ".join(f"{number(one['passes'])} passes over {name}" for name, one in facts["sets"].items())
    told = {name: facts[name] for name in ("begin_from", "tokens", "steps", "sets")}
    return [f"begins from {facts['begin_from']}; {facts['tokens']:,} tokens, {passes}"], told


def _packed(recipe: Recipe, made: Sequence[Job], facts: Mapping[str, Any]) -> Described:
    """The set's documents, tokens and repositories by language; the indexes' columns of languages and repositories are read."""
    pairs: set[tuple[str, str]] = set()
    for path in (Path(job.outputs["index"]) for job in made):
        if path.exists():
            found = pq.read_table(path, columns=["language", "repo"]).group_by(["language", "repo"]).aggregate([])
            pairs.update(zip(found["language"].to_pylist(), found["repo"].to_pylist(), strict=True))
    repositories = Counter(language for language, _ in pairs)
    languages = {name: {**one, "repositories": repositories[name]} for name, one in facts["languages"].items()}
    total = {"documents": facts["documents"], "repositories": len({repo for _, repo in pairs}), "tokens": facts["tokens"]}
    rows = {"all": total} | dict(sorted(languages.items(), key=lambda item: -item[1]["tokens"]))
    width = max(map(len, rows))
    lines = ["held out: measured on, never trained on"] if made[0].inputs.get("only") else []
    lines += [f"{name:{width}} " + "".join(f"{key} {one[key]:<12,}" for key in total).rstrip() for name, one in rows.items()]
    return lines, {**total, "languages": languages}


def _selected(recipe: Recipe, made: Sequence[Job], facts: Mapping[str, Any]) -> Described:
    one = recipe.params.selections[made[0].instance]
    by = f"at random, like {one.like}" if one.by == RANDOM else f"by {one.by}"
    chosen, available = facts["chosen"], facts["available"]
    line = f"{chosen['documents']:,} documents of {available['documents']:,} {by}, {chosen['tokens']:,} tokens"
    return [line], {"by": one.by, "like": one.like, "chosen": chosen, "available": available}


def _refined(recipe: Recipe, made: Sequence[Job], facts: Mapping[str, Any]) -> Described:
    one = recipe.params.synthetic[made[0].instance]
    line = f"{facts['documents']:,} of {facts['generations']:,} answers of {one.generator} to {one.prompt}, seeds from {one.seeds}"
    told = {"generator": one.generator, "prompt": one.prompt, "seeds": one.seeds, "generations": facts["generations"]}
    return [line, f"dropped: {_counts(facts['dropped']) or 'none'}"], {**told, "documents": facts["documents"], "dropped": facts["dropped"]}


_DESCRIBED: Mapping[str, Callable[[Recipe, Sequence[Job], Mapping[str, Any]], Described]] = {
    "collect": _collected,
    "pretrain": _trained,
    "pack": _packed,
    "select": _selected,
    "refine": _refined,
}

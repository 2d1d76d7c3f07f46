"""What became of a document of the clean corpus, or of generated code: scores, selections, tokens, models, and what it inspired."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from snow.corpus.heldout import read_heldout
from snow.reserved import SCRATCH
from snow.trace import lookup
from snow.trace.find import Document, Generated
from snow.trace.lookup import Recipe, Rows
from snow.trace.way import Step, absent, number


def uses(recipe: Recipe, one: Document) -> Iterator[Step]:
    """The steps of a document of the decontaminated corpus."""
    held = is_held_out(recipe, one.repo)
    yield held
    for name in recipe.params.annotators:
        yield _scored(recipe, one, name)
    chosen = []
    for name in recipe.params.selections:
        step = _selected(recipe, one, name, held.facts.get("heldout", False))
        chosen += [name] if step.facts.get("selected") else []
        yield step
    yield from trained(recipe, recipe.made("documents", "decontaminate", one.shard), {"id": {one.id}, "repo": {one.repo}})
    for name, declared in recipe.params.synthetic.items():
        if declared.seeds in chosen:
            yield _inspired(recipe, one, name)


def is_held_out(recipe: Recipe, repo: str) -> Step:
    """Whether a repository is held out."""
    path = recipe.made("heldout", "holdout", "all")
    if not path.exists():
        return absent("held out", path)
    held = repo in read_heldout(path)
    return Step("held out", ["yes: no tokenizer, annotator or model learns from it" if held else "no"], {"heldout": held})


def _scored(recipe: Recipe, one: Document, name: str) -> Step:
    path = recipe.made("scores", "score", name, one.shard)
    if not path.exists():
        return absent(f"score {name}", path)
    sections = recipe.params.annotators[name].scoring.sections
    found = lookup.having(path, {"id": {one.id}, "repo": {one.repo}}, ["score", *sections])
    if not found:
        return Step(f"score {name}", [f"{path} does not have it: run `snakemake all`"])
    values = {section: found[0][section] for section in sections}
    line = f"{number(found[0]['score'])}, the mean of {', '.join(f'{section} {number(value)}' for section, value in values.items())}"
    return Step(f"score {name}", [line], {"score": found[0]["score"], "sections": values})


def _selected(recipe: Recipe, one: Document, name: str, held: bool) -> Step:
    label, path, told = f"selection {name}", recipe.made("selection", "select", name), recipe.facts("select", name)
    if not path.exists() or told is None:
        return absent(label, path if told else Path(recipe.graph.job("select", [name]).receipt))
    wanted = {"shard": {recipe.shards.index(one.shard)}, "id": {one.id}}  # the table is sorted by both
    found = lookup.having(path, wanted, ["tokens"])
    lowest = told["languages"].get(one.language, {}).get("chosen", {}).get("threshold")
    facts = {"selected": bool(found), "threshold": lowest}
    if held:
        return Step(label, ["no: it is held out"], facts)
    if one.language in told["excluded_languages"]:
        return Step(label, [f"no: {one.language} is excluded"], facts)
    cut = "" if lowest is None else f"; the lowest score taken of {one.language} is {number(lowest)}"
    return Step(label, [f"{'yes' if found else 'no'}{cut}"], facts)


def trained(recipe: Recipe, documents: Path, wanted: lookup.Wanted) -> Iterator[Step]:
    """Where a document of that table lies in the tokens of each set made from it, and the models that trained on those."""
    packed, lines = [], []
    for job in recipe.graph.jobs:
        if job.stage == "pack" and str(documents) in job.inputs["documents"]:
            index = Path(job.outputs["index"])
            if not index.exists():
                yield absent("tokens", index, f"{job.artifact} ")
            for row in lookup.having(index, wanted, ["offset", "tokens"]) if index.exists() else []:
                end = row["offset"] + row["tokens"]
                facts = {"file": job.outputs["tokens"], "offset": row["offset"], "tokens": row["tokens"]}
                packed.append({"artifact": job.artifact, "index": str(index), **facts})
                lines.append(f"{job.artifact}: {row['tokens']:,} tokens, {row['offset']:,} to {end:,} of {job.outputs['tokens']}")
    yield Step("tokens", lines or ["in no token set"], {"sets": packed})
    yield models(recipe, [one["index"] for one in packed])


def models(recipe: Recipe, indexes: Iterable[str]) -> Step:
    """The models that trained on token files with these indexes, and those that begin from such models."""
    holding, lines, told = set(indexes), [], {}
    for name, model in recipe.params.models.items():
        given, facts = recipe.graph.job("pretrain", [name]).inputs, recipe.facts("pretrain", name)
        direct = [of for of in model.shares if holding.intersection(given[f"index:{of}"])]
        passes = {of: facts["sets"][of]["passes"] if facts else None for of in direct}
        through = model.begin_from
        while through != SCRATCH and not holding.intersection(_indexes(recipe, through)):
            through = recipe.params.models[through].begin_from
        if not direct and through == SCRATCH:
            continue
        words = [_passes(of, count) for of, count in passes.items()]
        words += [f"through {through}, from which it begins"] if through != SCRATCH else []
        lines.append(f"{name}: {', '.join(words)}")
        told[name] = {"passes": passes, "through": None if through == SCRATCH else through}
    return Step("models", lines or ["none trains on it"], {"models": told})


def _passes(of: str, count: float | None) -> str:
    if count is None:
        return f"not trained yet on {of}"
    return f"{number(count)} passes over {of}" + (f": {count:.1%} of its windows, drawn by the seed" if count < 1 else "")


def _indexes(recipe: Recipe, model: str) -> Iterator[str]:
    given = recipe.graph.job("pretrain", [model]).inputs
    return (path for of in recipe.params.models[model].shares for path in given[f"index:{of}"])


def _inspired(recipe: Recipe, one: Document, name: str) -> Step:
    """The requests that show lines of the document, and what became of their answers."""
    label, decisions = f"seeds {name}", recipe.made("decisions", "refine", name)
    tables = [Path(path) for path in recipe.graph.job("refine", [name]).inputs["generations"]]
    if missing := next((path for path in tables if not path.exists()), None):
        return absent(label, missing)
    found = lookup.over(tables, lambda path: lookup.having(path, {"document": {one.id}}, ["request", "language"]))
    asked = {row["request"]: row["language"] for rows in found for row in rows}
    if not asked:
        return Step(label, ["no request shows lines of it"], {"requests": []})
    if not decisions.exists():
        return absent(label, decisions, f"{len(asked)} requests show lines of it; ")
    answers: Rows = lookup.having(decisions, {"request": set(asked)}, ["request", "kept", "reason", "id"])
    lines = [
        f"request {row['request']} for {asked[row['request']]}: {'document ' + row['id'] if row['kept'] else 'dropped, ' + row['reason']}"
        for row in answers
    ]
    return Step(label, lines, {"requests": [{name: row[name] for name in ("request", "kept", "reason", "id")} for row in answers]})


def answered(recipe: Recipe, one: Generated) -> Iterator[Step]:
    """The steps of a generated answer: what was asked, what it was shown, what became of it."""
    name, wanted = one.set, {"request": {one.request}}
    job = recipe.graph.job("refine", [name])
    tables = [Path(path) for path in job.inputs["generations"]]
    asked = ["key", "language", "document", "seed", "model", "revision", "finish_reason", "completion_tokens"]
    found = [row for rows in lookup.over(tables, lambda path: lookup.having(path, wanted, asked)) for row in rows]
    for row in found:
        lines = [f"request {one.request} of {name} to {row['model']}, for {row['language']}; it ended with {row['finish_reason']}"]
        yield Step("asked", lines, {"set": name, **_without(row, "seed")})
        shown = [f"{row['seed'].count(chr(10)) + 1} lines of document {row['document']}"]
        yield Step("seed", shown, {"document": row["document"], "text": row["seed"]})
    if not found:
        yield absent("asked", tables[0])
    (decision,) = lookup.having(Path(job.outputs["decisions"]), wanted)
    if not decision["kept"]:
        yield Step("refined", [f"dropped: {decision['reason']}"], _without(decision))
        return
    yield Step("refined", [f"kept: {decision['language']}, {decision['size']:,} bytes, document {decision['id']}"], _without(decision))
    yield from trained(recipe, Path(job.outputs["documents"]), {"id": {decision["id"]}})


def _without(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("number", *names)}

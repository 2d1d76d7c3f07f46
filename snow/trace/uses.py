"""What became of a document of the clean corpus, or of generated code: scores, selections, tokens, models, and what it inspired."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from snow.corpus.heldout import read_heldout
from snow.trace import lookup, windows
from snow.trace.find import Document, Generated
from snow.trace.lookup import Recipe, Rows
from snow.trace.way import Step, absent, number


def uses(recipe: Recipe, one: Document) -> Iterator[Step]:
    """The steps of a document of the decontaminated corpus."""
    held = held_out(recipe, one.repo, [one.path])
    yield held
    for name in recipe.params.annotators:
        yield _scored(recipe, one, name)
    chosen = []
    for name in recipe.params.selections:
        step = _selected(recipe, one, name, bool(held.facts.get("heldout")))
        chosen += [name] if step.facts.get("selected", True) else []
        yield step
    yield from trained(recipe, recipe.made("documents", "decontaminate", one.shard), {"id": {one.id}, "repo": {one.repo}})
    for name, declared in recipe.params.synthetic.items():
        if declared.seeds in chosen:
            yield _inspired(recipe, one, name)


def held_out(recipe: Recipe, repo: str, paths: Sequence[str]) -> Step:
    """How many of these documents of a repository are held out."""
    choice = recipe.made("heldout", "holdout", "all")
    if not choice.exists():
        return absent("held out", choice)
    heldout = read_heldout(choice)
    count = sum(heldout.holds(repo, path) for path in paths)
    words = f"{count:,} of {len(paths):,}" if 0 < count < len(paths) else "yes" if count else "no"
    return Step("held out", [f"{words}: no tokenizer, annotator or model learns from that" if count else words], {"heldout": count})


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
    packed: list[dict[str, Any]] = []
    lines, missing = [], []
    for job in recipe.graph.jobs:
        if job.stage != "pack" or str(documents) not in job.inputs["documents"]:
            continue
        index = Path(job.outputs["index"])
        if not index.exists():
            missing.append(str(index))
            lines.append(f"{job.artifact}: not yet: {index} does not exist")
            continue
        for row in lookup.having(index, wanted, ["offset", "tokens"]):
            end = row["offset"] + row["tokens"]
            lines.append(f"{job.artifact}: {row['tokens']:,} tokens, {row['offset']:,} to {end:,} of {job.outputs['tokens']}")
            placed = {"file": job.outputs["tokens"], "offset": row["offset"], "tokens": row["tokens"]}
            packed.append({"artifact": job.artifact, "index": str(index), **placed})
    yield Step("tokens", lines or ["in no token set"], {"sets": packed, "missing": missing})
    yield models(recipe, packed, whole=not missing)


def models(recipe: Recipe, packed: Sequence[Mapping[str, Any]], whole: bool) -> Step:
    """The models that train on token files with these indexes, of how many windows with that document, and those that begin from such.
    `whole`: no token set is missing, so that these are all."""
    direct = {name: _direct(recipe, name, packed) for name in recipe.params.models}
    lines, told = [], {}
    for name, model in recipe.params.models.items():
        through = model.begin_from
        while through in direct and not any(one["reads"] != 0 for one in direct[through].values()):
            through = recipe.params.models[through].begin_from
        words = [_read(of, one) for of, one in direct[name].items()]
        words += [f"through {through}, from which it begins"] if through in direct else []
        if words:
            lines.append(f"{name}: {'; '.join(words)}")
            told[name] = {"sets": direct[name], "through": through if through in direct else None}
    return Step("models", lines or ["none trains on it" if whole else "not known before all token sets are here"], {"models": told})


def _direct(recipe: Recipe, model: str, packed: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """By token set of a model that has one of these: the passes over it; of one document, the windows that hold it and their reads."""
    given, facts = recipe.graph.job("pretrain", [model]).inputs, recipe.facts("pretrain", model)
    found = {}
    for of in recipe.params.models[model].shares:
        mine = [one for one in packed if one["index"] in given[f"index:{of}"]]
        one = mine[0] if mine and "offset" in mine[0] else None
        known = windows.reads(recipe, model, of, one["index"], one["offset"], one["tokens"]) if one else None
        if mine:
            passes = facts["sets"][of]["passes"] if facts and of in facts["sets"] else None
            found[of] = {"passes": passes, "windows": known and known.windows, "reads": known and known.reads}
    return found


def _read(of: str, one: Mapping[str, Any]) -> str:
    if one["passes"] is None:
        return f"not trained yet on {of}"
    held = "" if one["windows"] is None else f"; windows that hold it {one['windows']:,}, read {one['reads']:,} times in all"
    return f"{number(one['passes'])} passes over {of}{held}"


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

"""`snow trace`: the way of a file through the recipe, and the way back from an artifact to what it is made of."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from snow import stages
from snow.params import Params
from snow.trace import find, origin, repository, uses, way
from snow.trace.find import SHOWN, Found
from snow.trace.lookup import Recipe
from snow.trace.way import Step


def run(params: Params, text: str, as_json: bool) -> int:
    """Print the way of what `text` names; 1 when it names nothing that the recipe knows, or several documents."""
    recipe = Recipe(params, stages.graph(params))
    if jobs := origin.jobs(recipe, text):
        _print({"artifact": text}, text, origin.steps(recipe, jobs), as_json)
        return 0
    found = find.find(recipe, text)
    if len(found.documents) + len(found.generated) > 1:
        _list(found, as_json)
        return 1
    if found.documents:
        one = found.documents[0]
        _print({"document": one.facts()}, f"{one.repo}/{one.path}", _followed(recipe, one), as_json)
    elif found.generated:
        answer = found.generated[0]
        _print({"request": vars(answer)}, f"request {answer.request} of {answer.set}", uses.answered(recipe, answer), as_json)
    elif found.stated and found.of == text.removeprefix("./").rstrip("/"):
        _print({"repository": found.of}, str(found.of), repository.steps(recipe, found.stated), as_json)
    elif found.stated:
        path = text[text.index(str(found.of)) + len(str(found.of)) + 1 :]
        _print({"file": path, "repository": found.of}, text, repository.left_out(recipe, found.stated, path), as_json)
        return 1
    else:
        near = f"; near it: {', '.join(found.near)}" if found.near else ""
        print(f"snow trace: there is no document, repository or artifact {text!r}{near}", file=sys.stderr)
        return 1
    return 0


def _followed(recipe: Recipe, one: find.Document) -> Iterator[Step]:
    for step in way.way(recipe, one):
        yield step
        if step.ends:
            return
    yield from uses.uses(recipe, way.as_redacted(recipe, one))


def _print(about: dict[str, Any], title: str, steps: Iterable[Step], as_json: bool) -> None:
    """The steps as JSON, or their lines beside their names."""
    taken = list(steps)
    if as_json:
        told = [{"step": step.name, **step.facts, "says": step.lines} for step in taken]
        print(json.dumps({**about, "steps": told}, indent=1, ensure_ascii=False))
        return
    width = max(len(step.name) for step in taken) + 2
    print(title)
    for step in taken:
        for number, line in enumerate(step.lines):
            print(f"  {step.name if number == 0 else '':{width}}{line}")


def _list(found: Found, as_json: bool) -> None:
    if as_json:
        print(
            json.dumps(
                {"documents": [one.facts() for one in found.documents], "requests": [vars(one) for one in found.generated]}, indent=1
            )
        )
        return
    many = [(one.address, f"{one.repo}/{one.path}") for one in found.documents]
    many += [(one.key, f"request {one.request} of {one.set}") for one in found.generated]
    print(f"{'more than ' + str(SHOWN) if len(many) > SHOWN else len(many)} documents; `snow trace {many[0][0]}` for the first")
    for address, name in many[:SHOWN]:
        print(f"  {address}  {name}")

"""params.yaml read and checked before anything runs, and what of it each stage may see.

`load` turns pydantic's findings into one sentence per finding that names the key; `View` holds only the keys a stage declared
in `snow.stages`. The sections themselves are in `snow.recipe`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from snow.errors import SnowError
from snow.recipe import Params


class View:
    """The keys of the params one stage declared, by attribute; anything else raises, so no undeclared key can be read."""

    def __init__(self, values: dict[str, Any], owner: str) -> None:
        self._values, self._owner = values, owner

    def __getattr__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(f"stage {self._owner} reads params.{name} without declaring it in snow.stages") from None


def check(values: Any, origin: str) -> Params:
    """`values` as Params, or a SnowError with one line per finding: key, what is wrong, what was given."""
    if not isinstance(values, dict):
        raise SnowError(f"{origin}: expected a mapping of params at the top level")
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        found = error.errors()
        broken = [one["loc"][:-1] for one in found]
        causes = [one for one in found if one["type"] != "too_short" or not any(one["loc"] == at[: len(one["loc"])] for at in broken)]
        raise SnowError("\n".join(_sentence(one, origin) for one in causes)) from None


def _sentence(found: Any, origin: str) -> str:
    key = ".".join(str(part) for part in found["loc"]) or "params"
    if found["type"] == "extra_forbidden":
        return f"{origin}: {key} is not a known key; remove it or correct its spelling (allowed: {_siblings(found['loc'])})"
    if found["type"] == "missing":
        return f"{origin}: {key} is missing; add it"
    given = "" if isinstance(found["input"], dict) else f", but it is {found['input']!r}"
    if found["type"] == "float_type" and isinstance(found["input"], str) and re.fullmatch(r"[+-]?\d+[eE][+-]?\d+", found["input"]):
        given += f" (text to YAML: write {found['input'].lower().replace('e', '.0e')})"
    return f"{origin}: {key}: {found['msg'].removeprefix('Value error, ')}{given}"


def _siblings(location: tuple[int | str, ...]) -> str:
    """The allowed keys beside an unknown one, found by walking the models' annotations down the location."""
    model: Any = Params
    for part in location[:-1]:
        if isinstance(part, int) or not hasattr(model, "model_fields") or part not in model.model_fields:
            continue  # an index, or a name the user chose, such as a language
        annotation = model.model_fields[part].annotation
        arguments = [a for a in getattr(annotation, "__args__", ()) if hasattr(a, "model_fields")]
        model = arguments[0] if arguments else annotation
    return ", ".join(model.model_fields) if hasattr(model, "model_fields") else "see params.yaml"


def load(path: Path) -> Params:
    """Read and check a params file."""
    try:
        values = yaml.safe_load(path.read_text())
    except OSError as error:
        raise SnowError(f"{path}: {error.strerror}; give the params file with --params") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SnowError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    return check(values, str(path))


def subset(params: Params, keys: tuple[str, ...], without: tuple[str, ...] = ()) -> dict[str, Any]:
    """The plain values under dotted keys, `{key: value}` with JSON types, the dotted keys of `without` left out of them; one that
    leads through a list is left out of each of its items."""
    values = {key: _plain(_at(params, key)) for key in keys}
    for unwanted in without:
        for key, value in values.items():
            if unwanted.startswith(f"{key}."):
                _leave_out(value, unwanted.removeprefix(f"{key}.").split("."))
    return values


def _leave_out(value: Any, path: list[str]) -> None:
    if isinstance(value, list):
        for item in value:
            _leave_out(item, path)
    elif len(path) > 1:
        _leave_out(value[path[0]], path[1:])
    else:
        del value[path[0]]


def view(params: Params, keys: tuple[str, ...], owner: str) -> View:
    """A View of dotted keys; of `a.b` only `b` can be read, as `view.a.b`."""
    values: dict[str, Any] = {}
    for key in keys:
        head, *rest = key.split(".")
        if not rest:
            values[head] = _at(params, key)
            continue
        level = values.setdefault(head, View({}, owner))
        for part in rest[:-1]:
            level = level._values.setdefault(part, View({}, owner))
        level._values[rest[-1]] = _at(params, key)
    return View(values, owner)


def _at(params: Params, key: str) -> Any:
    value: Any = params
    for part in key.split("."):
        if isinstance(value, dict):
            if part not in value:
                raise SnowError(f"params.yaml has no {key}; known: {', '.join(value)}")
            value = value[part]
        else:
            value = getattr(value, part)
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value

"""params.yaml read and checked before anything runs, and what of it each job may see.

`load` turns pydantic's findings into one sentence per finding that names the key; `view` holds only what a job's row in `snow.jobs`
declares. The sections themselves are in `snow.schema`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from snow import overlay
from snow.errors import SnowError
from snow.schema import Params


def check(values: Any, origin: str) -> Params:
    """`values` as Params, or a SnowError with one line per finding: key, what is wrong, what was given."""
    if not isinstance(values, dict):
        raise SnowError(f"{origin}: expected a mapping of params at the top level")
    try:
        return Params.model_validate(overlay.resolved(values, origin))
    except ValidationError as error:
        found = error.errors()
        broken = [one["loc"][:-1] for one in found]
        causes = [one for one in found if one["type"] != "too_short" or not any(one["loc"] == at[: len(one["loc"])] for at in broken)]
        raise SnowError("\n".join(dict.fromkeys(_sentence(one, origin, values) for one in causes))) from None


def _sentence(found: Any, origin: str, values: Any) -> str:
    key = ".".join(str(part) for part in found["loc"] if part not in VARIANTS)
    key = overlay.said(values, key)  # what an entry has from another is wrong there
    if found["type"] == "extra_forbidden":
        return f"{origin}: {key} is not a known key; remove it or correct its spelling (allowed: {_siblings(found['loc'])})"
    if found["type"] == "missing":
        return f"{origin}: {key} is missing; add it"
    given = "" if isinstance(found["input"], (dict, BaseModel)) else f", but it is {found['input']!r}"
    if found["type"] == "float_type" and isinstance(found["input"], str) and re.fullmatch(r"[+-]?\d+[eE][+-]?\d+", found["input"]):
        given += f" (text to YAML: write {found['input'].lower().replace('e', '.0e')})"
    return ": ".join(filter(None, (origin, key, f"{found['msg'].removeprefix('Value error, ')}{given}")))


# Words inside a location that are no keys: pydantic's own, and the tags of schema.Suite.
VARIANTS = ("[key]", "constrained-str", "dict[constrained-str,constrained-float]", "one file", "files by category")


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


def read(path: Path) -> Any:
    """What a params file or an overlay says, unchecked. SnowError when it is not there or no YAML."""
    try:
        return parse(path.read_bytes(), str(path))
    except OSError as error:
        raise SnowError(f"{path}: {error.strerror}; give the params file with --params") from None


def parse(text: str | bytes, origin: str) -> Any:
    """The value of a YAML text; SnowError when it is none."""
    try:
        return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SnowError(f"{origin} is not valid YAML: {' '.join(str(error).split())}") from None


def load(path: Path) -> Params:
    """Read and check a params file."""
    return check(read(path), str(path))


def subset(params: Params, keys: Iterable[str], without: Iterable[str] = ()) -> dict[str, Any]:
    """The plain values under dotted keys, `{key: value}` with JSON types, the dotted keys of `without` left out of them; one that
    leads through a list is left out of each of its items, and through `*` of each entry."""
    held = {key: at(params, key) for key in keys}
    values = {key: _plain(value) for key, value in held.items()}
    # The order of what is declared is that of the report, and a mapping's order is in no key.
    values |= {f"order.{key}": list(value) for key, value in held.items() if isinstance(value, dict)}
    for unwanted in without:
        values.pop(unwanted, None)
        for key, value in values.items():
            if unwanted.startswith(f"{key}."):
                _leave_out(value, unwanted.removeprefix(f"{key}.").split("."))
    return values


def _leave_out(value: Any, path: list[str]) -> None:
    if isinstance(value, list):
        for item in value:
            _leave_out(item, path)
    elif path[0] == "*":
        for entry in value.values():
            _leave_out(entry, path[1:])
    elif len(path) > 1:
        _leave_out(value[path[0]], path[1:])
    else:
        del value[path[0]]


def view(params: Params, keys: Mapping[str, str]) -> Any:
    """What a job gets to see: the values under dotted keys by the names its row gives them. Its module says their types as a Protocol."""
    return SimpleNamespace(**{name: at(params, key) for name, key in keys.items()})


def at(params: Params, key: str) -> Any:
    """The value under a dotted key."""
    value: Any = params
    for part in key.split("."):
        value = value[part] if isinstance(value, dict) else getattr(value, part)
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value

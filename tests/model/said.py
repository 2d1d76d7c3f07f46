"""What params say, a second time and without any of the project's code: overlays, `like`, `of`, `seeds`, and whether all of it holds.

Written for the toy recipe's two sections of declared entries; nothing here knows `snow.overlay`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SECTIONS = ("token_sets", "models")
DEFAULTS = {"token_sets": {}, "models": {"seed": 0}}
NEEDED = {"token_sets": {"every"}, "models": {"begin_from", "train_on", "steps"}}

Params = Mapping[str, Any]


class Impossible(Exception):
    """Params that no run accepts."""


def over(base: Any, overlay: Any) -> Any:
    """Params under an overlay."""
    if not (isinstance(base, Mapping) and isinstance(overlay, Mapping)):
        return overlay
    return {name: over(base.get(name), overlay[name]) if name in overlay else base[name] for name in dict.fromkeys([*base, *overlay])}


def changed(values: Params, key: str, value: Any) -> dict[str, Any]:
    """The values with one dotted key set, or with null removed."""
    head, _, rest = key.partition(".")
    if rest:
        return {**values, head: changed(values.get(head) or {}, rest, value)}
    return {**values, head: value} if value is not None else {name: told for name, told in values.items() if name != head}


def meant(raw: Params) -> dict[str, Any]:
    """The params with nothing left to look up, replicas among them. Raises Impossible where that leads nowhere."""
    found = dict(raw)
    for section in SECTIONS:
        found[section] = {name: _entry(raw.get(section, {}), name, ()) for name in raw.get(section, {})}
    for name, model in [*found["models"].items()]:
        first, *others = model.pop("seeds", [model.get("seed")])
        if first is not None:
            model["seed"] = first
        found["models"] |= {f"{name}-seed{seed}": {**model, "seed": seed} for seed in others}
    return {name: _numbers(value, found, ()) for name, value in found.items()}


def _entry(entries: Params, name: str, before: tuple[str, ...]) -> dict[str, Any]:
    if name not in entries or name in before:
        raise Impossible(f"{name} after {before}")
    own = entries[name]
    if "like" not in own:
        return dict(own)
    base = {key: value for key, value in _entry(entries, own["like"], (*before, name)).items() if key != "seeds"}
    return over(base, {key: value for key, value in own.items() if key != "like"})


def _numbers(value: Any, whole: Params, before: tuple[str, ...]) -> Any:
    if not isinstance(value, Mapping):
        return value
    if "of" not in value:
        return {name: _numbers(inner, whole, before) for name, inner in value.items()}
    base: Any = whole
    for part in value["of"].split("."):
        if part not in base or value["of"] in before:
            raise Impossible(value["of"])
        base = base[part]
    return round(_numbers(base, whole, (*before, value["of"])) * value.get("times", 1))


def complete(section: str, entry: Params) -> dict[str, Any]:
    """An entry as a job's key has it."""
    return DEFAULTS[section] | dict(entry)


def shares(model: Params) -> Mapping[str, float]:
    """What a model trains on, in the order in which it is written."""
    return model["train_on"] if isinstance(model["train_on"], Mapping) else {model["train_on"]: 1.0}


def in_order(models: Params) -> list[str]:
    """Names of models, each after the one it begins from. Raises Impossible where there is no such order."""
    found: list[str] = []
    while len(found) < len(models):
        more = [name for name, model in models.items() if name not in found and model["begin_from"] in ("scratch", *found)]
        if not more:
            raise Impossible("models")
        found += more
    return found


def possible(raw: Params) -> bool:
    """Whether a run accepts these params."""
    try:
        told = meant(raw)
        for section in SECTIONS:
            for entry in told[section].values():
                if NEEDED[section] - entry.keys():
                    return False
        in_order(told["models"])
    except Impossible:
        return False
    return all(used in told["token_sets"] for model in told["models"].values() for used in shares(model))

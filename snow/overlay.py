"""Params that are said by others: overlays on params.yaml, entries that are like another, numbers relative to others, replicas.

Everywhere a section declares by name, `like: NAME` gives an entry all that it does not say itself from another of its section, and
everywhere a number may be `{of: DOTTED.KEY, times: 0.5}`. So an experiment is written once and lies on every scale. `seeds: [0, 1, 2]`
of a model is that model with the first seed and a replica `MODEL-seedN` for each of the others; of a comparison, that of both its models.
`filters`, of which there is one, is like one of `rule_sets`. Where a model begins from one of others, or a token set has the tokenizer of
one, the hub name, folder or `package:...` may stand itself: it is an entry of `evaluation.compare_with` then. A model that begins from
null is not trained; others are like it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from snow.errors import SnowError
from snow.packaged import PREFIX
from snow.reserved import NAME

RULE_SETS, FILTERS = "rule_sets", "filters"
DECLARED = (RULE_SETS, "tokenizers", "groupings", "annotators", "selections", "generators", "synthetic", "token_sets", "models")
OF, TIMES, LIKE, SEEDS = "of", "times", "like", "seeds"
BEGIN, OTHERS = "begin_from", "evaluation.compare_with"
NAMED = (("models", BEGIN), ("token_sets", "tokenizer"))  # where a model of others may be written as it is found


def merged(base: Any, over: Any) -> Any:
    """`base` under an overlay, mapping by mapping, as Snakemake merges `--configfile`."""
    if not (isinstance(base, Mapping) and isinstance(over, Mapping)):
        return over
    return {**base, **{key: merged(base.get(key), value) if key in base else value for key, value in over.items()}}


def resolved(values: Mapping[str, Any], origin: str = "params.yaml") -> dict[str, Any]:
    """The params with nothing left to look up. SnowError for a name or key that leads nowhere or in a circle; types are not looked at."""
    plain = dict(values)
    for section in DECLARED:
        entries = plain.get(section)
        if isinstance(entries, Mapping):
            plain[section] = {name: _inherited(section, entries, name, (), origin) for name in entries}
    sets, filters = plain.get(RULE_SETS), plain.get(FILTERS)
    if isinstance(sets, Mapping) and isinstance(filters, Mapping) and _inherits(FILTERS, filters):
        if filters[LIKE] not in sets:
            raise SnowError(
                f"{origin}: {FILTERS}.{LIKE}: there is no {filters[LIKE]!r} among {', '.join(sets)}; declare it or correct the name"
            )
        plain[FILTERS] = merged(sets[filters[LIKE]], {key: value for key, value in filters.items() if key != LIKE})
    plain = _with_compared_seeds(plain, origin)
    _replicate(plain, origin)
    plain = _with_others(_referred(plain, plain, (), origin), origin)
    models = plain.get("models")
    if isinstance(models, Mapping):
        plain["models"] = {name: one for name, one in models.items() if not (isinstance(one, Mapping) and one.get(BEGIN, name) is None)}
    return plain


def _with_others(plain: dict[str, Any], origin: str) -> dict[str, Any]:
    """Every model of others that a model or token set says as it is found, declared under a name that follows from it."""
    declared = dict(_at(plain, OTHERS) or {})
    before = len(declared)
    named: dict[str, Any] = {}
    for section, name, key, told in _found(plain):
        named.setdefault(section, {})[name] = {key: _declare(declared, told, f"{origin}: {section}.{name}.{key}")}
    return merged(plain, {**named, "evaluation": {"compare_with": declared}} if len(declared) > before else named)


def _found(values: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """(section, name, key, what it says) of all that say a model of others as it is found, and not by a name."""
    for section, key in NAMED:
        for name in _at(values, section) or ():
            told = _at(values, f"{section}.{name}.{key}")
            if isinstance(told, str) and told and not re.fullmatch(NAME, told):
                yield section, name, key, told


def _declare(declared: dict[str, Any], told: str, where: str) -> str:
    """The name under which a hub name, with @ and a revision, a folder or package:... is declared; it is, where it was not."""
    path = told.startswith(("/", "./", "../", "~"))
    reference, revision = (told, None) if path or told.startswith(PREFIX) else (*told.split("@", 1), None)[:2]
    wanted = {"pretrained": reference, "revision": revision}
    known = [name for name, one in declared.items() if isinstance(one, Mapping) and {"revision": None, **one} == wanted]
    if known:
        return known[0]
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", told.rstrip("/").rpartition("/")[2] if path else told).strip("-_")
    if not name or name in declared:
        raise SnowError(
            f"{where}: {told} needs a name of its own; declare it as {OTHERS}.NAME: {{pretrained: {reference}}}, and write NAME here"
        )
    declared[name] = wanted
    return name


def said(values: Mapping[str, Any], key: str) -> str:
    """The key of the file that a dotted key of the resolved params is from: its own, or that of an entry it is like."""
    try:
        return next((one for one in _own_keys(values, key) if _inside(one) == _inside(key)), key)
    except (KeyError, StopIteration, TypeError, AttributeError):  # what is wrong there may be the way to it
        return key


def _inside(key: str) -> list[str]:
    """What of a dotted key lies inside its entry."""
    depth = 1 if key.startswith(f"{FILTERS}.") else 2
    return key.split(".", depth)[depth:]


def watched(values: Mapping[str, Any], keys: Iterable[str]) -> list[str]:
    """The keys of the file of which a change may change the values under some dotted keys of the resolved params; sorted. What an entry
    can take from others counts whole: a key that one of them gets tomorrow is none of its keys of today."""
    found: set[str] = set()
    waiting, plain = set(keys), _with_compared_seeds(values, "params.yaml")
    if plain != values and any(key.startswith("models.") for key in waiting):
        waiting.add("report.compare")
    while waiting:
        more = set(_own_keys(plain, waiting.pop())) - found
        found |= more
        waiting |= {one for own in more for one in _references(_at(values, own))}
    return sorted(one for one in found if not any(one.startswith(f"{other}.") for other in found))


def _own_keys(values: Mapping[str, Any], key: str) -> Iterator[str]:
    """The keys that give a dotted key its value, as far as other entries are not referred to by number."""
    section, _, rest = key.partition(".")
    if section == FILTERS:
        section, at, told, part = RULE_SETS, FILTERS, values[FILTERS], rest
    elif rest and section in DECLARED:
        entries, (name, _, part) = values[section], rest.partition(".")
        name = next(one for one in entries if name in (one, *(f"{one}-seed{seed}" for seed in _at(entries, f"{one}.{SEEDS}") or ())))
        at, told = f"{section}.{name}", entries[name]
    elif key.startswith(f"{OTHERS}.") and _at(values, key) is None:
        yield from (f"{section}.{name}.{place}" for section, name, place, _ in _found(values))
        return
    else:
        yield key
        return
    while True:
        inner = _at(told, part) if part else told
        if part and inner is not None:
            yield f"{at}.{part}"
            if LIKE in told:
                yield f"{at}.{LIKE}"
        else:
            yield at
        if not _inherits(section, told) or not (inner is None or isinstance(inner, Mapping)):
            return
        at, told = f"{section}.{told[LIKE]}", values[section][told[LIKE]]


def _references(value: Any) -> Iterator[str]:
    """The keys that numbers inside a value are relative to."""
    if isinstance(value, Mapping):
        if OF in value:
            yield value[OF]
        for inner in value.values():
            yield from _references(inner)


def _at(values: Any, key: str) -> Any:
    """The value under a dotted key of the file, None where there is none."""
    for part in key.split("."):
        values = values.get(part) if isinstance(values, Mapping) else None
    return values


def _inherits(section: str, entry: Any) -> bool:
    """A random selection is not the one it is drawn in place of."""
    return isinstance(entry, Mapping) and entry.get(LIKE) is not None and not (section == "selections" and entry.get("by") == "random")


def _inherited(section: str, entries: Mapping[str, Any], name: str, seen: tuple[str, ...], origin: str) -> Any:
    """An entry with all it takes from the one it is like."""
    entry = entries[name]
    if not _inherits(section, entry):
        return entry
    base = entry[LIKE]
    if base not in entries:
        raise SnowError(f"{origin}: {section}.{name}.like: there is no {base!r} among {', '.join(entries)}; declare it or correct the name")
    if base in (*seen, name):
        raise SnowError(f"{origin}: {section}.{name}.like: {' like '.join([*seen, name, base])} goes round in a circle")
    value = _inherited(section, entries, base, (*seen, name), origin)
    if not isinstance(value, Mapping):
        raise SnowError(f"{origin}: {section}.{base} is no mapping, so {section}.{name} cannot be like it")
    taken = {key: inner for key, inner in value.items() if key != SEEDS}  # replicas are made of the entry that asks for them
    return merged(taken, {key: inner for key, inner in entry.items() if key != LIKE})


def _with_compared_seeds(values: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """Comparisons as pairs alone; `{pair: [A, B], seeds: [0, 1, 2]}` gives its models the seeds."""
    compared, models = _at(values, "report.compare"), values.get("models")
    seeded = [one for one in compared if isinstance(one, Mapping)] if isinstance(compared, list) else []
    if not seeded or not isinstance(models, Mapping):
        return dict(values)
    for one in seeded:
        pair = one.get("pair")
        if set(one) != {"pair", SEEDS} or not isinstance(pair, list) or not all(isinstance(models.get(name), Mapping) for name in pair):
            raise SnowError(f"{origin}: report.compare: it takes [A, B] or {{pair: [A, B], seeds: [...]}} of models, but it is {dict(one)}")
        models = {**models, **{name: {SEEDS: one[SEEDS], **models[name]} for name in pair}}
    pairs = [one["pair"] if isinstance(one, Mapping) else one for one in compared]
    return {**values, "models": models, "report": {**values["report"], "compare": pairs}}


def _replicate(plain: dict[str, Any], origin: str) -> None:
    """Give a model with `seeds` its first, and the others models of their own beside it."""
    models: Any = plain.get("models")
    for name, model in models.items() if isinstance(models, Mapping) else ():
        seeds = model.get(SEEDS) if isinstance(model, Mapping) else None
        if seeds is None:
            continue
        if not isinstance(seeds, list) or not seeds or len(set(map(str, seeds))) != len(seeds):
            raise SnowError(f"{origin}: models.{name}.seeds: it must list different seeds, but it is {seeds!r}")
        rest = {key: value for key, value in model.items() if key != SEEDS}
        for replica, seed in zip([name, *(f"{name}-seed{seed}" for seed in seeds[1:])], seeds, strict=True):
            if replica != name and replica in models:
                raise SnowError(f"{origin}: models.{name}.seeds makes a replica {replica}, which is declared already; rename one")
            plain["models"] = {**plain["models"], replica: {**rest, "seed": seed}}


def _referred(value: Any, plain: Any, seen: tuple[str, ...], origin: str) -> Any:
    """A value with every number in it that is relative to another; `seen` are the keys on the way, the value's own the last."""
    if not isinstance(value, Mapping):
        return value
    if OF in value:
        return _number(value, plain, seen, origin)
    at = f"{seen[-1]}." if seen else ""
    return {name: _referred(inner, plain, (f"{at}{name}",), origin) for name, inner in value.items()}


def _number(asked: Mapping[str, Any], plain: Any, seen: tuple[str, ...], origin: str) -> float:
    """The value of `{of: KEY, times: X}`; a whole number stays one."""
    key, times = asked[OF], asked.get(TIMES, 1)
    if set(asked) - {OF, TIMES} or not isinstance(key, str) or isinstance(times, bool) or not isinstance(times, (int, float)):
        raise SnowError(f"{origin}: {seen[-1]}: a number relative to another is {{of: DOTTED.KEY, times: NUMBER}}, but it is {dict(asked)}")
    if key in seen:
        raise SnowError(f"{origin}: {seen[0]}: {' of '.join([*seen, key])} goes round in a circle")
    value = _at(plain, key)
    if value is None:
        raise SnowError(f"{origin}: {seen[-1]}.of: there is no {key}; correct the key")
    if isinstance(value, Mapping) and OF in value:
        value = _number(value, plain, (*seen, key), origin)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise SnowError(f"{origin}: {seen[-1]}.of: {key} is {value!r}, not a number")
    result = value * times
    return round(result) if isinstance(value, int) else result

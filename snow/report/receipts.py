"""The receipts of a run: what each job recorded about itself, found by stage and instance, summed over shards."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from snow import sealed
from snow.errors import SnowError

Facts = Mapping[str, Any]
REQUIRED = frozenset({"stage", "instance", "key", "facts", "spec", "outputs"})


class Receipts:
    """All receipts of one run by (stage, instance)."""

    def __init__(self, receipts: Iterable[Mapping[str, Any]]) -> None:
        found = {(receipt["stage"], receipt["instance"]): receipt for receipt in receipts}
        self._found = dict(sorted(found.items()))

    def all(self) -> list[Mapping[str, Any]]:
        """Every receipt, by stage and instance."""
        return list(self._found.values())

    def one(self, stage: str, instance: str = "all") -> Facts:
        """The facts of one job; SnowError naming the receipt when it was not given."""
        return self._receipt(stage, instance)["facts"]

    def output(self, stage: str, instance: str, name: str) -> Path:
        """Where an output of a job lies; SnowError as for `one`."""
        return Path(self._receipt(stage, instance)["outputs"][name][0])

    def _receipt(self, stage: str, instance: str) -> Mapping[str, Any]:
        if (stage, instance) not in self._found:
            raise SnowError(f"the report needs receipts/{stage}/{instance}.json among its --input receipts; build it with `snakemake all`")
        return self._found[stage, instance]

    def instances(self, stage: str, under: str = "") -> dict[str, Facts]:
        """The facts of every job of a stage whose instance starts with `under`, by instance; SnowError when there is none."""
        found = {key[1]: value["facts"] for key, value in self._found.items() if key[0] == stage and key[1].startswith(under)}
        if not found:
            raise SnowError(
                f"the report needs at least one receipts/{stage}/{under}*.json among its --input receipts; build it with `snakemake all`"
            )
        return found

    def total(self, stage: str, under: str = "") -> dict[str, Any]:
        """The facts of a sharded stage added up: numbers are summed, mappings key by key; what is not a count is left out."""
        return add(self.instances(stage, under).values())

    def params(self) -> dict[str, Any]:
        """The params the jobs read, as params.yaml nests them; jobs of one run agree on them, so a disagreement is a SnowError."""
        merged: dict[str, Any] = {}
        for (stage, instance), receipt in self._found.items():
            for dotted, value in receipt["spec"]["params"].items():
                if not _merge(merged, dotted.split("."), value):
                    raise SnowError(
                        f"receipts/{stage}/{instance}.json was made with another value of params.{dotted} than the receipts before it; "
                        "run `snakemake all` so that all are of one run"
                    )
        return merged


def _merge(params: dict[str, Any], path: list[str], value: Any) -> bool:
    """Put a value where its path says, keeping what is there; False when something else is there already."""
    *outer, name = path
    for key in outer:
        params = params.setdefault(key, {})
    if isinstance(value, Mapping) and isinstance(params.setdefault(name, {}), dict):
        return all(_merge(params, [name, key], inner) for key, inner in value.items())
    return params.setdefault(name, value) == value


def add(facts: Iterable[Facts]) -> dict[str, Any]:
    """Facts of several shards as one: numbers summed, mappings added key by key (sorted), everything else left out."""
    total: dict[str, Any] = {}
    for one in facts:
        for key, value in one.items():
            if isinstance(value, Mapping):
                total[key] = add([total.get(key, {}), value])
            elif isinstance(value, (int, float)) and not isinstance(value, bool):
                total[key] = total.get(key, 0) + value
    return dict(sorted(total.items()))


def pick(facts: Facts, *path: str) -> Any:
    """The value down a path of keys, or None where a key is absent: an optional fact."""
    value: Any = facts
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            return None
        value = value[key]
    return value


def load(paths: Iterable[Path]) -> Receipts:
    """Read receipt files, or all of a folder; one that is not a receipt is a SnowError naming it."""
    receipts = []
    for path in (file for given in paths for file in (sorted(given.rglob("*.json")) if given.is_dir() else [given])):
        try:
            text = path.read_bytes()
            receipt = json.loads(text)
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise SnowError(f"{path} is not a readable receipt ({error}); delete it and run again") from None
        if not isinstance(receipt, dict) or REQUIRED - receipt.keys():
            raise SnowError(
                f"{path} is not a receipt of a snow job: it lacks {', '.join(sorted(REQUIRED - set(receipt)))}; delete it and run again"
            )
        if not sealed.sound(text):
            raise SnowError(f"{path} is damaged, its checksum is another; delete it and run again")
        receipts.append(receipt)
    return Receipts(receipts)

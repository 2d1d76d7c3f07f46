"""The bodies of stages run in this process as the runner would, with params.yaml changed under dotted keys."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from snow import overlay
from snow import params as settings
from snow.job import Job
from snow.stages import stage as row_of

ROOT = Path(__file__).parents[1]
Inputs = Mapping[str, Path | Sequence[Path]]


def changed(changes: Mapping[str, Any]) -> dict[str, Any]:
    """What params.yaml says, with `changes` by dotted key; of a mapping only what is named changes."""
    values: Any = settings.read(ROOT / "params.yaml")
    for key, value in changes.items():
        nested: Any = value
        for part in reversed(key.split(".")):
            nested = {part: nested}
        values = overlay.merged(values, nested)
    return values


def params(changes: Mapping[str, Any]) -> settings.Params:
    """The same, checked."""
    return settings.check(changed(changes), "params.yaml")


def job(stage: str, instance: str, given: settings.Params, inputs: Inputs, outputs: Mapping[str, Path], work: Path) -> Job[Any]:
    """A job as the runner makes it, with one thread; what it keeps lies below `work`, its logs beside that."""
    paths = {name: (some,) if isinstance(some, Path) else tuple(some) for name, some in inputs.items()}
    view = settings.view(given, row_of(stage).job(given, instance).params)
    return Job(instance, view, paths, outputs, 1, work, "key", work.parent / "logs")


def run(
    stage: str, instance: str, folder: Path, inputs: Inputs, outputs: Mapping[str, Path], changes: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The facts of one job whose state lies in `folder`."""
    made = job(stage, instance, params(changes or {}), inputs, outputs, folder / "work")
    for path in outputs.values():
        path.parent.mkdir(parents=True, exist_ok=True)
    return importlib.import_module(row_of(stage).module).run(made)

"""Where a file comes from: a path, or `package:MODULE/RELATIVE/PATH` for data that an installed distribution ships."""

from __future__ import annotations

import importlib.machinery
import importlib.util
from collections.abc import Sequence
from pathlib import Path

from snow.errors import SnowError

PREFIX = "package:"


def is_local(reference: str) -> bool:
    """Whether a reference means a file or folder of this machine, and not a name on a hub."""
    return reference.startswith(PREFIX) or Path(reference).expanduser().exists()


def locate(reference: str, places: Sequence[str] | None = None) -> Path:
    """The existing file or folder a reference names; globs are allowed after the module and must match exactly one entry.

    `places` are the site-packages folders of another environment to look into instead of this one's. The module is found without
    being imported, because the packages that carry weights import heavy things. Raises SnowError naming the reference when it is
    absent or ambiguous.
    """
    if not reference.startswith(PREFIX):
        path = Path(reference).expanduser()
        if not path.exists():
            raise SnowError(f"{reference} does not exist; correct the path in params.yaml")
        return path
    module, _, inner = reference.removeprefix(PREFIX).partition("/")
    spec = importlib.util.find_spec(module) if places is None else importlib.machinery.PathFinder.find_spec(module, places)
    if spec is None or not spec.submodule_search_locations:
        raise SnowError(f"{reference}: the package {module} is not installed in this environment; run `make envs`")
    root = Path(next(iter(spec.submodule_search_locations)))
    found = sorted(root.glob(inner)) if inner else [root]
    if len(found) != 1:
        raise SnowError(f"{reference} matches {len(found)} files under {module}; it must match exactly one")
    return found[0]

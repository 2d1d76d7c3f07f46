"""Where a file comes from: a path, or `package:MODULE/RELATIVE/PATH` for data that an installed distribution ships."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from snow.errors import SnowError

PREFIX = "package:"


def locate(reference: str) -> Path:
    """The existing file or folder a reference names; globs are allowed after the module and must match exactly one entry.

    The module is found without being imported, because the packages that carry weights import heavy things.
    Raises SnowError naming the reference when it is absent or ambiguous.
    """
    if not reference.startswith(PREFIX):
        path = Path(reference).expanduser()
        if not path.exists():
            raise SnowError(f"{reference} does not exist; correct the path in params.yaml")
        return path
    module, _, inner = reference.removeprefix(PREFIX).partition("/")
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise SnowError(f"{reference}: the package {module} is not installed in this environment; run `make envs`")
    root = Path(next(iter(spec.submodule_search_locations)))
    found = sorted(root.glob(inner)) if inner else [root]
    if len(found) != 1:
        raise SnowError(f"{reference} matches {len(found)} files under {module}; it must match exactly one")
    return found[0]

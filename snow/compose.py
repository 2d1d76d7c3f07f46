"""`snow params [OVERLAYS]`: params.yaml under overlays as one file, comments included, to become the committed params.yaml."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from snow import params as settings
from snow.errors import SnowError


def run(base: Path, overlays: Sequence[Path]) -> int:
    """Print the file. Raises SnowError when it would not be valid params; then nothing is printed but what the shell took away."""
    text, emptied = _read(base)
    try:
        result = composed(text, overlays, str(base))
    except SnowError:
        sys.stdout.write(text if emptied else "")
        raise
    sys.stdout.write(result)
    return 0


def composed(base: str, overlays: Sequence[Path], origin: str) -> str:
    """The text of params under overlays, each over those before it."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width, yaml.preserve_quotes = 1 << 16, True  # lines stay as long as they are
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.representer.add_representer(type(None), lambda own, _: own.represent_scalar("tag:yaml.org,2002:null", "null"))
    document = yaml.load(base)
    for path in overlays:
        if not isinstance(settings.read(path), dict):
            raise SnowError(f"{path}: expected a mapping of params at the top level")
        _put(document, yaml.load(path.read_text()))
    written = io.StringIO()
    yaml.dump(document, written)
    settings.check(settings.parse(written.getvalue(), origin), " + ".join([origin, *map(str, overlays)]))
    return written.getvalue()


def _put(into: Any, over: Any) -> None:
    """Merge a mapping into another, values with their comments."""
    for key, value in over.items():
        if isinstance(into.get(key), dict) and isinstance(value, dict):
            _put(into[key], value)
            continue
        into[key] = value
        into.ca.items.pop(key, None)  # what was said of the old value
        if key in over.ca.items:
            into.ca.items[key] = over.ca.items[key]


def _read(base: Path) -> tuple[str, bool]:
    """The text of params.yaml, and whether it is the committed one because the shell has emptied the file that our output goes to."""
    try:
        text = base.read_text()
        if text or not os.path.samestat(base.stat(), os.fstat(sys.stdout.fileno())):
            return text, False
    except (OSError, UnicodeDecodeError) as error:
        raise SnowError(f"{base} cannot be read ({error}); give the params file with --params") from None
    committed = subprocess.run(["git", "show", f"HEAD:./{base}"], capture_output=True, text=True, check=False)
    if committed.returncode:
        raise SnowError(f"the shell has emptied {base} before it was read, and git has no commit of it; write to another file first")
    print(f"snow params: the shell emptied {base} before it could be read; taken as the last commit has it", file=sys.stderr)
    return committed.stdout, True

"""`corpus/heldout.json`: the repositories no model, tokenizer or classifier may learn from."""

from __future__ import annotations

import json
from pathlib import Path

from snow.errors import SnowError


def read_heldout(path: Path) -> frozenset[str]:
    """The names of the held-out repositories. A file that is not what `snow holdout` writes is a SnowError."""
    try:
        return frozenset(json.loads(path.read_text())["repositories"])
    except (ValueError, KeyError, TypeError) as error:
        raise SnowError(f"{path} does not list held-out repositories ({error!r}); delete it and run `snow holdout` again") from None

"""JSON with a checksum over itself, as receipts are written: one that was edited or damaged vouches for nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from snow import digest

BLANK = "0" * 64
SUM = re.compile(rb'(?m)^ "sum": "([0-9a-f]{64})"')


def dump(told: Mapping[str, Any]) -> bytes:
    """The bytes of a mapping as JSON, its checksum under `sum`."""
    text = json.dumps({**told, "sum": BLANK}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    text = text.encode(errors="backslashreplace").decode()  # half a surrogate, of a file's name, as JSON escapes it
    return text.replace(f'"sum": "{BLANK}"', f'"sum": "{digest.sha256(text)}"').encode()


def sound(text: bytes) -> bool:
    """Whether bytes carry the checksum that they have."""
    found = SUM.search(text)
    return found is not None and digest.sha256(text.replace(found[1], BLANK.encode()).decode(errors="replace")) == found[1].decode()

"""Machine code is kept by what it was made from, so a copy of a clone has it, and an edit never loads it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from numba.core import config

KERNEL = "from snow.corpus.compiled import compiled\n\n\n@compiled\ndef twice(number):\n    return 2 * number\n"


def kernel(file: Path, text: str) -> Any:
    file.parent.mkdir()
    file.write_text(text)
    spec = importlib.util.spec_from_file_location("kernel", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.twice


def test_a_copy_has_the_code_and_an_edit_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    first, copied = (kernel(tmp_path / name / "kernel.py", KERNEL) for name in ("clone", "copy"))
    edited = kernel(tmp_path / "edit" / "kernel.py", KERNEL.replace("2 *", "3 *"))
    assert [twice(21) for twice in (first, copied, edited)] == [42, 42, 63]
    assert [sum(twice.stats.cache_hits.values()) for twice in (first, copied, edited)] == [0, 1, 0]

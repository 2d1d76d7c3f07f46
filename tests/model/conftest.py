"""The ground that every sequence of steps is played on."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..forked import in_memory
from .commands import serving
from .ground import Ground, prepare


@pytest.fixture(scope="session")
def ground() -> Iterator[Ground]:
    """One fork server and one finished toy project for all sequences."""
    with serving() as commands, tempfile.TemporaryDirectory(prefix="snow-model-", dir=in_memory()) as folder:
        yield prepare(commands, Path(folder))

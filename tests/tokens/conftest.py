"""The corpus and a tokenizer of it, made once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from snow.tokens import tokenizer as stage
from tests.tokens.token_jobs import SPECIAL, corpus


@pytest.fixture(scope="session")
def documents() -> list[dict[str, Any]]:
    return corpus()


@pytest.fixture(scope="session")
def tokenizer(documents: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained tokenizer folder of 600 ids."""
    folder = tmp_path_factory.mktemp("tokenizer")
    stage.save(stage.train((row["content"] for row in documents), 600, SPECIAL), SPECIAL, folder)
    return folder

"""Packed data and one finished phase, made once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.pretrain.phase_jobs import Data, command, finish, make_data, train


@dataclass(frozen=True)
class Finished:
    """An uninterrupted run of the tiny phase 1 on one process."""

    model: Path
    facts: dict[str, Any]


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def finished(data: Data, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("finished")
    return Finished(folder / "model", train(data, folder))


@pytest.fixture(scope="session")
def model_of_two(data: Data, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of the same phase on two workers."""
    folder = tmp_path_factory.mktemp("two")
    finish(command(data, folder, workers=2), folder)
    return folder / "model"

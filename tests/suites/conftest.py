"""HumanEval as the package ships it."""

from pathlib import Path

import pytest

from tests.suites.files import write_humaneval


@pytest.fixture(scope="session")
def humaneval(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_humaneval(tmp_path_factory.mktemp("suites"))

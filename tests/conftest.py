"""Fixtures every part shares."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

for name in [name for name in os.environ if name.startswith("GIT_")]:  # under a hook or a rebase they lead every git to this repository
    del os.environ[name]


@pytest.fixture(scope="session")
def benchmarks() -> Path:
    """The folder with HumanEvalPlus, MbppPlus and BigCodeBench data beside the checkout; the test skips where it is absent."""
    path = ROOT.parent / "shared" / "benchmarks"
    if not path.is_dir():
        pytest.skip(f"no benchmark data at ../shared/benchmarks ({path.name} missing)")
    return path

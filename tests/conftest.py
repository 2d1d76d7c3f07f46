"""Fixtures every part shares."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def benchmarks() -> Path:
    """The folder with HumanEvalPlus, MbppPlus and BigCodeBench data beside the checkout; the test skips where it is absent."""
    path = ROOT.parent / "shared" / "benchmarks"
    if not path.is_dir():
        pytest.skip(f"no benchmark data at ../shared/benchmarks ({path.name} missing)")
    return path

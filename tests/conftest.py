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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several workers (`-n 2 --dist loadgroup`) a file's tests stay together, and those of a folder that shares a costly fixture:
    one finished run for all scenarios, one Slurm, one toy recipe."""
    for item in items:
        folder = item.path.relative_to(ROOT / "tests").parts[0]
        item.add_marker(pytest.mark.xdist_group(folder if folder in ("scenarios", "slurm", "model") else str(item.path)))

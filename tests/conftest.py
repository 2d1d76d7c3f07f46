"""Fixtures every part shares."""

import os
from pathlib import Path

import pytest

from . import forked

ROOT = Path(__file__).parent.parent

# Files that take minutes, longest first: one that began last would keep a worker waiting for it.
LONGEST = (
    "model/test_model.py",
    "model/test_kept.py",
    "scenarios/test_contributing.py",
    "slurm/test_training.py",
    "scenarios/test_clones.py",
    "test_project.py",
    "pretrain/test_interruptions.py",
    "scenarios/test_failures.py",
    "scenarios/test_params_and_code.py",
    "test_references.py",
    "slurm/test_requests.py",
    "slurm/test_faults.py",
    "scenarios/test_sharing.py",
    "evaluate/test_bigcodebench.py",
)

for name in [name for name in os.environ if name.startswith("GIT_")]:  # under a hook or a rebase they lead every git to this repository
    del os.environ[name]


@pytest.fixture(scope="session")
def benchmarks() -> Path:
    """The folder with HumanEvalPlus, MbppPlus and BigCodeBench data beside the checkout; the test skips where it is absent."""
    path = ROOT.parent / "shared" / "benchmarks"
    if not path.is_dir():
        pytest.skip(f"no benchmark data at ../shared/benchmarks ({path.name} missing)")
    return path


def pytest_sessionstart() -> None:
    """Programs that clones run are forked from here on."""
    forked.begin()


def pytest_sessionfinish() -> None:
    """The programs that clones run in this process end with it."""
    forked.stop()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; with `--no-loadscope-reorder` workers take files in this order."""
    order = {ROOT / "tests" / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path, len(order)))

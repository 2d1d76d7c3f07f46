"""The encoder, loaded once, and an annotator trained once on a small corpus."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from snow.quality import encoder as encoders
from snow.quality.encoder import Encoder
from tests.quality import quality_jobs as jobs


@dataclass(frozen=True)
class Trained:
    """An annotator with what it was made from."""

    inputs: dict[str, Any]
    settings: dict[str, Any]
    folder: Path
    facts: dict[str, Any]


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    return encoders.load(jobs.ENCODER, None, 1)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("annotator")
    inputs = jobs.write_inputs(folder)
    sets = [jobs.positives(folder, jobs.solutions())]
    settings = {"positives": sets, "negatives": 80, "validation_negatives": 25, "window_tokens": jobs.WINDOW, "validation_fraction": 0.2}
    facts = jobs.annotate(folder / "quality", inputs, settings)
    return Trained(inputs, settings, folder / "quality", facts)

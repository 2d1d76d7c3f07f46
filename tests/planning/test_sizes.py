"""What is known of sizes when little is there, as after a run that was killed early."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from snow import params as settings
from snow.caching import ledger
from snow.planning import proportions, units
from snow.planning.sizes import Sizes
from snow.planning.sources import Extent

from ..conftest import ROOT


@pytest.fixture
def sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sizes:
    """Of the pocket run on a corpus of 10 MB, nothing made."""
    monkeypatch.chdir(tmp_path)
    params = settings.load(ROOT / "params.yaml")
    monkeypatch.setattr(Sizes, "sources", {"files": Extent(1000.0, 1e7)})
    return Sizes(params, ledger.look(params), units.table())


@pytest.mark.parametrize("stage", ["collect", "filter", "unique", "decontaminate", "pack"])
def test_the_first_jobs_may_have_found_nothing(sizes: Sizes, stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = {"documents": 0, "bytes": 0, "tokens": 0}
    monkeypatch.setattr(Sizes, "_facts", lambda _, asked, begins: nothing if asked == stage else None)
    params = settings.load(ROOT / "params.yaml")
    assert sizes.clean.bytes > 0
    for name, model in params.models.items():
        assert 0 < sizes.trained(name) <= model.tokens
        assert all(math.isnan(passes) == (stage == "pack") for passes in sizes.passes(name).values())
    assert list(proportions.of(params, sizes))

"""The numbers that a run ends with are those of its report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import recorded
from reading import build, tables

from snow.console import summary


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    return build(folder, recorded.write(folder))


def test_held_out_bits_what_selection_was_worth_and_what_passes(report: Path) -> None:
    bits, compared, *passed = summary.numbers(json.loads((report / "tables.json").read_text())["tables"])
    read = tables(report)
    first = read["bits"][0]
    shown = [f"{model} {first[f'bits:{model}']:.3f}" for model in ("phase1", "phase2", "control", "phase3")]
    assert bits.startswith(f"bits per byte of held-out text, lower is better: {', '.join(shown)}, ")
    change = read["compare:phase2:control"][0]["difference"]
    assert compared.startswith(f"phase2 against control, bits per byte, below 0 is better: {change:+.3f} on held-out text, ")
    assert len(passed) == len({(row["suite"], row["tests"]) for row in read["pass"]})
    rate = read["pass"][0]
    assert any(f"{rate['model']} {rate['value']:.1%}" in line for line in passed if line.startswith(f"pass@1 on {rate['suite']}"))

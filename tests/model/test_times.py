"""Random times on all files and random overlays in between: the three tools name the same jobs, whatever the clock says."""

from __future__ import annotations

from random import Random

import pytest

from .ground import Ground, replay
from .steps import overlays


def play(ground: Ground, seeds: range) -> None:
    """For each seed: times, what the tools say then and under overlays; now and then a run under them."""
    steps = []
    for seed in seeds:
        chosen = Random(seed)
        steps += [["times", seed], ["ask", *overlays(chosen)]]
        if seed % 4 == 3:
            steps += [["overlay", "file", *overlays(chosen)], ["times", 100 + seed], ["ask", *overlays(chosen)], ["run"]]
    replay(ground, steps)


def test_the_tools_name_the_same_jobs_at_any_times(ground: Ground) -> None:
    play(ground, range(4))


@pytest.mark.slow
def test_the_tools_name_the_same_jobs_at_any_times_twenty_times(ground: Ground) -> None:
    play(ground, range(4, 24))

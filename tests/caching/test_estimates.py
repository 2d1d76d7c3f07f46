"""What jobs are expected to cost, and from where that is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from snow import overlay, stages
from snow import params as settings
from snow.caching import costs, estimates
from snow.caching.estimates import Estimate
from tests import stage_runs

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_job_is_expected_to_take_what_it_took_and_a_new_one_what_others_of_its_stage_did() -> None:
    params = stage_runs.params({})
    costs.record("filter", "00000", 10, 1)
    costs.record("filter", "00001", 20, 1)
    assert estimates.of(params, "filter", ["00001", "00000"]) == Estimate((20, 10), None, "the last run of these jobs")
    assert estimates.of(params, "filter", ["00001", "00002"]) == Estimate((20, 15), None, "the mean of 2 other jobs")


def test_every_stage_of_a_first_pocket_run_is_expected_to_take_some_time() -> None:
    params = stage_runs.params({})
    total = 0.0
    for stage, instances in stages.graph(params).instances.items():
        expected = estimates.of(params, stage, instances)
        assert expected.seconds is not None
        assert (len(expected.seconds), expected.basis) == (len(instances), estimates.POCKET_RUN)
        total += sum(expected.seconds)
    assert 600 < total < 1200, "695 s on two cores, which not all stages share"


def test_of_a_larger_first_run_nothing_is_claimed_but_what_training_costs() -> None:
    values = overlay.merged(settings.read(ROOT / "params.yaml"), settings.read(ROOT / "scales/paper.yaml"))
    params = settings.check(values, "params.yaml")
    trained = estimates.of(params, "pretrain", ["phase1"])
    assert trained.seconds is None
    assert trained.gpu_hours is not None
    assert trained.gpu_hours > 1000
    assert estimates.of(params, "filter", ["00000"]) == Estimate(None, None, "no earlier run")


def test_tokens_are_those_trained_on_or_answered_at_most() -> None:
    params = stage_runs.params({})
    assert estimates.tokens(params, "pretrain", ["phase1", "phase2"]) == 800_000
    assert estimates.tokens(params, "generate", ["inspired/00000"]) == 40 * 320
    assert estimates.tokens(params, "filter", ["00000"]) == 0

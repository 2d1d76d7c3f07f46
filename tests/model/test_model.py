"""Random sequences of what people do with the project, against an oracle: `machine` has the steps, `checks` what must hold after each.

SNOW_MODEL_SEQUENCES, SNOW_MODEL_STEPS and SNOW_MODEL_SEED set the size and start of a long run; several processes with different
seeds share the work. A failure prints its steps as a list, to be made short by `python -m tests.model.shorten` and kept in
`test_kept.py`.
"""

from __future__ import annotations

import os
import random

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase
from hypothesis.stateful import run_state_machine_as_test

from .machine import Ground, Machine

STEPS = int(os.environ.get("SNOW_MODEL_STEPS", "15"))


def play(ground: Ground, sequences: int, seed: int) -> None:
    """That many sequences from a seed. They are not shrunk by Hypothesis, whose every try would be a sequence of seconds."""

    class Here(Machine):
        pass

    Here.ground = ground
    settings = hypothesis.settings(
        max_examples=int(os.environ.get("SNOW_MODEL_SEQUENCES", str(sequences))),
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(hypothesis.seed(seed)(Here), settings=settings)


def test_some_sequences_always_the_same(ground: Ground) -> None:
    play(ground, 10, int(os.environ.get("SNOW_MODEL_SEED", "1")))


@pytest.mark.slow
def test_two_hundred_sequences_never_the_same(ground: Ground) -> None:
    seed = int(os.environ.get("SNOW_MODEL_SEED", str(random.SystemRandom().randrange(10**6))))
    print(f"SNOW_MODEL_SEED={seed}")
    play(ground, 200, seed)

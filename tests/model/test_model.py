"""Random sequences of what people do with the project, against an oracle: `steps` has the choice, `checks` what must hold after each.

SNOW_MODEL_SEQUENCES, SNOW_MODEL_STEPS and SNOW_MODEL_SEED set the size and start of a long run; several processes with different
seeds share the work. With SNOW_MODEL_COLLECT=FILE a failure is added to the file, one JSON value a line, and the next sequence
follows. A failing list of steps is made short by `python -m tests.model.shorten` and kept in `test_kept.py`.
"""

from __future__ import annotations

import json
import os
import random

import pytest

from .ground import Ground, replay
from .steps import sequence

COLLECT = os.environ.get("SNOW_MODEL_COLLECT")


def play(ground: Ground, sequences: int, seed: int) -> None:
    """That many sequences from a seed."""
    for number in range(int(os.environ.get("SNOW_MODEL_SEQUENCES", str(sequences)))):
        steps = sequence(seed, number, int(os.environ.get("SNOW_MODEL_STEPS", "15")))
        try:
            replay(ground, steps)
            print(f"sequence {number} of seed {seed} holds", flush=True)
        except Exception as error:
            print(f"SNOW_MODEL_SEED={seed}, sequence {number}: {json.dumps(steps)}")
            if not COLLECT:
                raise
            with open(COLLECT, "a") as stream:
                stream.write(json.dumps([steps, str(error)]) + "\n")


def test_some_sequences_always_the_same(ground: Ground) -> None:
    play(ground, 10, int(os.environ.get("SNOW_MODEL_SEED", "1")))


@pytest.mark.slow
def test_two_hundred_sequences_never_the_same(ground: Ground) -> None:
    seed = int(os.environ.get("SNOW_MODEL_SEED", str(random.SystemRandom().randrange(10**6))))
    print(f"SNOW_MODEL_SEED={seed}")
    play(ground, 200, seed)

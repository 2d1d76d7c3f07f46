"""Random sequences of what people do with the project, against an oracle; see `world` for the steps and `checks` for what must hold.

SNOW_MODEL_SEQUENCES, SNOW_MODEL_STEPS and SNOW_MODEL_SEED (a number) set the size and start of a long run; several processes with
different seeds share the work.
"""

from __future__ import annotations

import os
import random

import pytest

from . import generate
from .machine import Machine

STEPS = int(os.environ.get("SNOW_MODEL_STEPS", "15"))

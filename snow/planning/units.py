"""The table of unit costs (`units.yaml`, `gpus.yaml`), and how fast this machine is beside the one they were measured on."""

from __future__ import annotations

import functools
import hashlib
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from snow.errors import SnowError

TABLE = Path(__file__).with_name("units.yaml")
GPUS = Path(__file__).with_name("gpus.yaml")


@dataclass(frozen=True)
class Unit:
    """What a job of a stage takes on a core of the machine of the table: `start` seconds and `each` for every one of what it does
    (`snow.planning.work`), `out_start` and `out_each` bytes of output; it occupies `threads` cores and keeps `busy` of them busy. `clock`
    is what was measured: cpu, seconds of processors, or wall, seconds that its threads were occupied, also in waiting."""

    start: float
    each: float
    out_start: float
    out_each: float
    threads: int
    busy: int
    clock: Literal["cpu", "wall"]


@dataclass(frozen=True)
class Gpu:
    """A kind of GPU: dense bf16 FLOP/s and bytes/s of its data sheet, memory in GB, and (FLOP per token, share of the peak reached) of
    a small and a large model."""

    peak_flops: float
    bandwidth: float
    memory_gb: float
    utilisation: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Declared:
    """What gpus.yaml says."""

    document_bytes: float
    answer_tokens: float
    answers_kept: float
    encoders: Mapping[str, float]
    gpus: Mapping[str, Gpu]


@dataclass(frozen=True)
class Table:
    """All that is known of costs: what units.yaml has measured, what gpus.yaml declares."""

    reference_seconds: float
    stages: Mapping[str, Unit]
    declared: Declared
    kept: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    token_bytes: Mapping[int, float] = field(default_factory=dict)
    answers: Mapping[str, float] = field(default_factory=dict)

    def unit(self, stage: str) -> Unit:
        """What a job of a stage costs; of one that was never measured, NaN."""
        return self.stages.get(stage, Unit(math.nan, 0.0, math.nan, 0.0, 1, 1, "cpu"))


@functools.cache
def table() -> Table:
    """The table of this checkout."""
    told: Any = yaml.safe_load(TABLE.read_text())
    return Table(stages={name: Unit(**one) for name, one in told.pop("stages").items()}, declared=declared(), **told)


@functools.cache
def declared() -> Declared:
    """The part of it that is not measured by a run."""
    told: Any = yaml.safe_load(GPUS.read_text())
    gpus = {name: Gpu(**{**one, "utilisation": tuple(map(tuple, one["utilisation"]))}) for name, one in told.pop("gpus").items()}
    return Declared(gpus=gpus, **told)


def gpu(name: str) -> Gpu:
    """A kind of GPU by its name; SnowError lists those of the table."""
    known = declared().gpus
    if name not in known:
        raise SnowError(f"--gpu {name}: snow/planning/gpus.yaml has no such GPU, only {', '.join(known)}; add it there")
    return known[name]


def slowness() -> float:
    """Processor seconds of this machine for one of the table's: how long what Python does most takes here, a tenth of a second of it."""
    return measure() / table().reference_seconds


def measure() -> float:
    """The best of five goes at a little of each: interpreted loops, text, JSON, hashes."""
    text = json.dumps([{"name": f"value {number}", "place": number} for number in range(2000)])

    def once() -> float:
        began = time.process_time()
        words: dict[str, int] = {}
        for word in text.split():
            words[word] = words.get(word, 0) + 1
        json.loads(text)
        hashlib.sha256(text.encode() * 20).digest()
        total = 0
        for number in range(100_000):
            total += number * number % 7
        return time.process_time() - began

    return min(once() for _ in range(5))

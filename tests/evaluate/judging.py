"""Judges small enough for a test."""

from pathlib import Path

from snow.evaluate.judge import Judge
from snow.evaluate.sandbox import Limits, Sandbox
from snow.suites.checkers import of_kind
from snow.suites.tasks import read_suite


def judge_of(suite: Path, sandbox: Sandbox, work: Path, seconds: float = 3.0, memory: int = 2 << 30) -> Judge:
    """A judge of the samples of one suite."""
    name, checker = of_kind(read_suite(suite)[0].kind)
    limits = Limits(checker.wall_seconds(seconds), memory, processes=16, file=8 << 20)
    return Judge(name, checker, sandbox, suite, seconds, limits, work)

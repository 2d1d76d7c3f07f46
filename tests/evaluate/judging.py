"""Judges small enough for a test."""

from pathlib import Path

from snow.evaluate.judge import Judge
from snow.evaluate.sandbox import Limits, Sandbox
from snow.suites.checkers import checker_of, module_of
from snow.suites.tasks import read_suite


def judge_of(suite: Path, sandbox: Sandbox, work: Path, seconds: float = 3.0, memory: int = 2 << 30) -> Judge:
    """A judge of the samples of one suite."""
    tasks = read_suite(suite)
    name = checker_of(tasks[0].kind, str(suite))
    checker = module_of(name, tasks[0].kind, str(suite))
    limits = Limits(None, memory, processes=16, file=8 << 20)
    return Judge(name, checker, sandbox, suite, {task.task_id: task for task in tasks}, seconds, limits, work)

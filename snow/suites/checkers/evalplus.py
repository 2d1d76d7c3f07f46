"""EvalPlus' own checker for HumanEval+ and MBPP+: its data reading, `sanitize`, ground truth and `untrusted_check`.

Its command line is not used: `evalplus.evaluate` sleeps up to 20 s before it exits, answers from an old result file without
a word, and hangs when EVALPLUS_TIMEOUT_PER_TASK is set (0.3.1). The steps here are those of its `codegen` (a completion is sanitized)
and of its `check_correctness` (base tests, then the additional ones, each against what the canonical solution returns).
"""

from __future__ import annotations

import os
import pickle
import resource
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

PARTS = ("base", "plus")
VERDICTS = (("pass", "pass"), ("pass", "fail"), ("pass", "timeout"), ("fail", "fail"), ("timeout", "timeout"))
DATASETS = {"humaneval+": "humaneval", "mbpp+": "mbpp"}  # EvalPlus' names
# untrusted_check: 60 s for all inputs of a part, 2 to end it, 1 to join; the slowest canonical solution (Mbpp/599) takes about 10 s.
WALL_SECONDS = 2 * (60 + 3) + 60.0
SANITIZE_SECONDS = 20  # sanitize compiles every range of lines: quadratic, minutes for a thousand degenerate lines


def wall_seconds(seconds: float) -> float:
    """See `snow.suites.checkers`. EvalPlus has time limits of its own: 1 s per input, or four times what the canonical solution took."""
    return WALL_SECONDS


def prepare(kind: str, suite: Path, samples: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str, bytes]]:
    """Tasks with their inputs as Python objects, pickled; solutions sanitized, or as they are when that fails or takes too long."""
    dataset = DATASETS[kind]
    os.environ["HUMANEVAL_OVERRIDE_PATH"] = os.environ["MBPP_OVERRIDE_PATH"] = str(suite)  # read when evalplus.data is imported
    from evalplus.data import get_human_eval_plus, get_mbpp_plus

    problems = get_human_eval_plus() if dataset == "humaneval" else get_mbpp_plus()
    for task_id, solution in samples:
        problem = problems[task_id]
        yield task_id, _sanitize(solution, problem["entry_point"]), pickle.dumps(problem | {"dataset": dataset})


def check(task: bytes, solution: str, seconds: float) -> tuple[str, ...]:
    """One of VERDICTS; `seconds` is not used, see `wall_seconds`.

    A sample that does not pass the base tests does not pass plus, by EvalPlus' definition, so its plus tests are not run: most
    of the time would go into the canonical solution's answers to them.
    """
    # reliability_guard lowers the memory limit to this; asking for more than is left to this process would end it.
    os.environ["EVALPLUS_MAX_MEMORY_BYTES"] = str(resource.getrlimit(resource.RLIMIT_AS)[0])
    from evalplus.eval import untrusted_check
    from evalplus.eval._special_oracle import MBPP_OUTPUT_NOT_NONE_TASKS
    from evalplus.gen.util import trusted_exec

    problem: dict[str, Any] = pickle.loads(task)
    entry_point = problem["entry_point"]
    status = "fail"
    statuses: list[str] = []
    for part in PARTS:
        inputs = problem[f"{part}_input"]
        expected, times = trusted_exec(
            problem["prompt"] + problem["canonical_solution"],
            inputs,
            entry_point,
            record_time=True,
            output_not_none=problem["dataset"] == "mbpp" and entry_point in MBPP_OUTPUT_NOT_NONE_TASKS,
        )
        status, _ = untrusted_check(
            problem["dataset"],
            solution,
            inputs,
            entry_point,
            expected=expected,
            atol=problem["atol"],
            ref_time=times,
            fast_check=True,
        )
        statuses.append(status)
        if status != "pass":
            break
    return (*statuses, status) if len(statuses) < len(PARTS) else tuple(statuses)


def _sanitize(solution: str, entry_point: str) -> str:
    from evalplus.sanitize import sanitize

    previous = signal.signal(signal.SIGALRM, _interrupt)
    signal.alarm(SANITIZE_SECONDS)
    try:
        return sanitize(solution, entry_point)
    except (ValueError, RecursionError, TimeoutError):  # what compile() raises besides the SyntaxError that sanitize expects
        return solution
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


def _interrupt(signum: int, frame: object) -> None:
    raise TimeoutError

"""However training is interrupted, and wherever, the same command ends it with the same bits."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from snow.errors import Unfinished
from tests.pretrain.conftest import Finished
from tests.pretrain.phase_jobs import Data, command, digest, environment, finish, log, train

ENDS = 20  # the last step before its end at which the log of the tiny phase is surely written


def interrupt(arguments: list[str], folder: Path, step: int, number: int, launcher_only: bool = False) -> int:
    """Start a command and send it and its children a signal once its log holds `step` records; its exit status."""
    with (folder / "killed.log").open("w") as said:
        process = subprocess.Popen(arguments, cwd=folder, env=environment(), stdout=said, stderr=said, start_new_session=True)
        try:
            while sum(len(path.read_bytes().splitlines()) for path in folder.glob(".snow/work/*/log.jsonl")) < step:
                assert process.poll() is None, (folder / "killed.log").read_text()[-3000:]
                time.sleep(0.002)
            process.send_signal(number) if launcher_only else os.killpg(process.pid, number)
            status = process.wait(60)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    assert not (folder / "model").exists()
    return status


def moment() -> int:
    """A random step."""
    seed = random.randrange(1_000_000)
    step = random.Random(seed).randrange(1, ENDS)
    print(f"seed {seed}: interrupted at step {step}")
    return step


def steps_saved(folder: Path) -> list[int]:
    return sorted(int(path.name.removeprefix("step-")) for path in folder.glob(".snow/work/*/step-*"))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGUSR1])
def test_interrupted_at_a_random_step_it_ends_with_the_same_bits(data: Data, finished: Finished, tmp_path: Path, number: int) -> None:
    arguments = command(data, tmp_path)
    step = moment()
    status = interrupt(arguments, tmp_path, step, number)
    if number != signal.SIGKILL:
        said = (tmp_path / "killed.log").read_text()
        assert status == Unfinished.status, said[-3000:]
        reached = steps_saved(tmp_path)[-1]
        assert reached >= step
        assert f"ended on request after step {reached} of 24, with a checkpoint" in said
        assert "Traceback" not in said
    finish(arguments, tmp_path)
    assert digest(tmp_path / "model") == digest(finished.model)
    assert json.loads((tmp_path / "receipt.json").read_text())["facts"] == finished.facts
    assert not list((tmp_path / ".snow" / "work").iterdir()), "checkpoints of a finished job are left"


@pytest.mark.slow
def test_interrupted_at_ten_random_moments_it_ends_with_the_same_bits(data: Data, tmp_path: Path) -> None:
    """One training of 200 steps, ended ten times in one of three ways."""
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")
    draw, longer = random.Random(seed), {"tokens": 200 * 8 * 64}
    arguments = command(data, tmp_path, **longer)
    for _ in range(10):
        begun = max(steps_saved(tmp_path), default=0)
        interrupt(arguments, tmp_path, begun + draw.randrange(1, 12), draw.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGUSR1]))
        assert max(steps_saved(tmp_path), default=0) >= begun
    finish(arguments, tmp_path)
    train(data, tmp_path / "alone", **longer)
    assert digest(tmp_path / "model") == digest(tmp_path / "alone" / "model")


def test_asked_to_end_at_every_third_step_it_ends_with_the_same_bits(
    data: Data, finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each attempt is asked anew, wherever the one before has ended; every one comes forward."""
    from snow.pretrain import train as loop

    step, attempts = loop._step, 0

    def asked_now_and_then(*given: object) -> object:
        nonlocal attempts
        attempts += 1
        if attempts % 3 == 0:
            os.kill(os.getpid(), random.choice([signal.SIGTERM, signal.SIGUSR1]))
        return step(*given)

    monkeypatch.setattr(loop, "_step", asked_now_and_then)
    for ended in range(3, 24, 3):
        with pytest.raises(Unfinished, match=f"after step {ended} of 24"):
            train(data, tmp_path)
    assert train(data, tmp_path) == finished.facts
    assert digest(tmp_path / "model") == digest(finished.model)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize("launcher_only", [False, True], ids=["a time limit, to all processes", "somebody, to the launcher"])
def test_two_workers_that_are_asked_to_end_agree_on_the_step(data: Data, model_of_two: Path, tmp_path: Path, launcher_only: bool) -> None:
    arguments = command(data, tmp_path, workers=2)
    interrupt(arguments, tmp_path, 7, signal.SIGTERM, launcher_only)
    reached = steps_saved(tmp_path)[-1]
    assert f"ended on request after step {reached} of 24" in (tmp_path / "killed.log").read_text()
    finish(arguments, tmp_path)
    assert digest(tmp_path / "model") == digest(model_of_two)


def test_a_kill_on_two_workers_is_continued_by_one(data: Data, finished: Finished, tmp_path: Path) -> None:
    partitioned = {"zero_stage": 1, "precision": "fp32", "offload_optimizer": False}
    interrupt(command(data, tmp_path, workers=2, engine=partitioned), tmp_path, 7, signal.SIGKILL)
    finish(command(data, tmp_path, workers=1, engine=partitioned), tmp_path)
    assert [record["loss"] for record in log(tmp_path / "model")] == pytest.approx(
        [record["loss"] for record in log(finished.model)], abs=1e-4
    )

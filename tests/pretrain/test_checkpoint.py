"""Checkpoints that a disk or a hand has damaged are noticed, named and passed over; the result has the same bits."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pretrain.conftest import Finished
from tests.pretrain.phase_jobs import Data, digest, train

STATE = "state/mp_rank_00_model_states.pt"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def zeros(path: Path) -> None:
    """A block that the disk lost."""
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4096] = bytes(len(content[middle : middle + 4096]))
    path.write_bytes(content)


@pytest.fixture
def stopped(finished: Finished, tmp_path: Path) -> Path:
    """The folder of a run that has its checkpoints of steps 15 and 20 and a log to step 24."""
    shutil.copytree(finished.model.parent / "work", tmp_path / "work")
    assert checkpoints(tmp_path) == ["step-00000015", "step-00000020"]
    return tmp_path


def checkpoints(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "work/key").glob("step-*"))


@pytest.mark.parametrize("harm", [cut, zeros, Path.unlink])
@pytest.mark.parametrize("name", [STATE, "position.json", "checksums.json"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(
    data: Data, finished: Finished, stopped: Path, harm: Callable[[Path], None], name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    harm(stopped / "work/key/step-00000020" / name)
    assert train(data, stopped) == finished.facts
    assert digest(stopped / "model") == digest(finished.model)
    said = capfd.readouterr().err
    assert f"step-00000020 is damaged ({name}" in said or "step-00000020 is damaged (checksums.json or a file it names" in said
    assert "training goes on from step 15, the checkpoint before" in said
    assert checkpoints(stopped) == ["step-00000015", "step-00000020"], "the damaged one was not written anew"


def test_without_a_whole_checkpoint_training_starts_again(
    data: Data, finished: Finished, stopped: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    zeros(stopped / "work/key/step-00000015" / STATE)
    cut(stopped / "work/key/step-00000020" / STATE)
    train(data, stopped)
    assert digest(stopped / "model") == digest(finished.model)
    assert capfd.readouterr().err.count("training goes on from the start, as no checkpoint is left") == 2


def test_a_log_that_lost_its_end_takes_its_checkpoint_with_it(
    data: Data, finished: Finished, stopped: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = stopped / "work/key/log.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:17]) + bytes(4096))
    train(data, stopped)
    assert digest(stopped / "model") == digest(finished.model)
    assert "step-00000020 is damaged (log.jsonl does not hold its 20 steps)" in capfd.readouterr().err

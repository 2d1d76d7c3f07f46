"""How far a job is, read from logs as the stages write them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tqdm import tqdm

from snow.console import progress
from snow.console.progress import Progress


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs/score/hqins").mkdir(parents=True)


JOB = "score hqins/00000"


@pytest.mark.parametrize(
    ("total", "options", "shown"),
    [
        (60, {"desc": "score hqins/00000", "unit": "document"}, "30 of 60 documents"),
        (None, {"desc": "filter 00000", "unit": "doc"}, "30 docs"),
        (60, {}, "30 of 60"),
        (60, {"desc": "completing phase1/humaneval"}, "30 of 60"),
    ],
)
def test_a_bar_of_any_stage_is_read(total: int | None, options: dict, shown: str) -> None:
    with progress.log_of(JOB).open("w") as log:
        print(f"{JOB}: something said before: 1 of 2 [so]", file=log)
        bar = tqdm(total=total, file=log, mininterval=0, miniters=1, **options)
        for _ in range(30):
            bar.update()
            time.sleep(0.002)
        log.flush()
        found = progress.of(JOB)
    assert found is not None
    assert found.text == shown
    assert (found.left is None) == (total is None)
    assert total is None or (found.left is not None and found.left < 2)


def test_the_last_line_that_says_how_far_counts() -> None:
    progress.log_of(JOB).write_text(
        "validating: 3window [00:01, 2.10window/s]\r"
        "training:  45%|████▌     | 1234/2742 [1:02:03<1:15:20,  3.02s/step]\n"
        "a warning about something\n"
    )
    assert progress.of(JOB) == Progress("1234 of 2742 steps", 4520.0)


def test_the_line_of_a_training_is_read_with_all_it_says() -> None:
    progress.log_of(JOB).write_text("phase1: step 120/400, loss 3.210, LR 2.0e-03, 3,400 tokens/s, ETA 1:02:10\n")
    assert progress.of(JOB) == Progress("step 120/400, loss 3.210, LR 2.0e-03, 3,400 tokens/s", 3730.0)


def test_a_log_that_says_nothing_or_is_not_there_tells_nothing() -> None:
    assert progress.of(JOB) is None
    progress.log_of(JOB).write_bytes(b"\xff\xfe [half a line\nreading 3 files\n  0%|          ")
    assert progress.of(JOB) is None

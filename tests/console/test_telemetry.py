"""A training as it is told while it runs: the line, JSON lines, TensorBoard's files; and that none of it is in any key."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path
from typing import Any

import pytest

from snow import source_code, stages
from snow.console import progress, telemetry
from snow.console.telemetry import Telemetry, Training

SHAPE = Training("phase1", 1_000_000, 4, 192, 256, steps=40, tokens_per_step=1000, workers=2, precision="bf16")


class Clock:
    """A clock that a test moves."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(telemetry, "time", made)
    return made


def records(first: int, last: int, **more: Any) -> list[dict[str, Any]]:
    """What training hands over of some steps; `more` is in the last one."""
    made = [
        {"step": step, "tokens": step * 1000, "loss": 10.0 - step / 10, "lr": 2e-3, "grad_norm": 0.5} for step in range(first, last + 1)
    ]
    made[-1] |= more
    return made


def play(told: Telemetry, clock: Clock, done: int, ends: list[int]) -> None:
    """A training behind step `done` that is read at these steps, half a second each; then it ends."""
    told.begin(done)
    for end in ends:
        clock.now += (end - done) * 0.5
        told.read(records(done + 1, end, **({"heldout_loss": 3.0, "heldout_bits_per_byte": 2.5} if end % 20 == 0 else {})))
        clock.now += 7  # for a checkpoint
        told.goes_on(end)
        done = end
    told.close()


def scalars(folder: Path) -> dict[str, dict[int, float]]:
    """The values in TensorBoard's files by name and step, read as their format says."""
    from tensorboardX.proto import event_pb2

    found: dict[str, dict[int, float]] = {}
    for path in sorted(folder.glob("events.out.tfevents.*")):
        data, place = path.read_bytes(), 0
        while place < len(data):
            (length,) = struct.unpack_from("<Q", data, place)
            event = event_pb2.Event.FromString(data[place + 12 : place + 12 + length])
            place += 16 + length
            for value in event.summary.value:
                found.setdefault(value.tag, {})[event.step] = value.simple_value
    return found


def test_a_line_says_all_there_is_to_know_and_watch_reads_it(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(telemetry, "_peak", lambda precision: 1e10)
    play(Telemetry(SHAPE, tmp_path), clock, 0, [10, 20])
    first, second = capsys.readouterr().err.splitlines()
    # 2000 tokens/s of 6N + 12LHQT FLOP each, of two workers' 2e10.
    mfu = 2000 * (6e6 + 12 * 4 * 192 * 256) / 2e10
    said = f"LR 2.00e-03, gradient norm 0.50, 2,000 tokens/s, MFU {mfu:.1%}"
    assert re.fullmatch(rf"phase1: step 10/40, loss 9\.000, {re.escape(said)}, \d+\.\d GB, ETA 0:15", first)
    assert re.fullmatch(rf"phase1: step 20/40, loss 8\.000, held-out 2\.500 bits per byte, {re.escape(said)}, \d+\.\d GB, ETA 0:17", second)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs/pretrain").mkdir(parents=True)
    (tmp_path / "logs/pretrain/phase1.log").write_text(f"{second}\n")
    shown = progress.of("pretrain phase1")
    assert shown is not None
    assert (shown.text.startswith("step 20/40, loss 8.000, held-out 2.500"), shown.left) == (True, 17.0)


def test_lines_come_every_ten_seconds_and_at_every_validation(tmp_path: Path, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    told = Telemetry(SHAPE, tmp_path)
    told.begin(0)
    for step in range(1, 41):
        clock.now += 1
        told.read(records(step, step, **({"heldout_bits_per_byte": 2.5} if step == 15 else {})))
        told.goes_on(step)
    told.close()
    said = [int(step) for step in re.findall(r"step (\d+)/40", capsys.readouterr().err)]
    assert said == [1, 11, 15, 25, 35, 40]
    assert len((tmp_path / "pretrain/phase1.progress.jsonl").read_text().splitlines()) == 40, "each reading is a JSON line"


def test_the_same_is_in_json_lines_and_in_tensorboards_files(tmp_path: Path, clock: Clock) -> None:
    play(Telemetry(SHAPE, tmp_path), clock, 0, [10, 20])
    lines = [json.loads(line) for line in (tmp_path / "pretrain/phase1.progress.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [10, 20]
    assert lines[1] | {"memory_gb": 0} == {**records(20, 20)[0], "heldout_loss": 3.0, "heldout_bits_per_byte": 2.5} | {
        "tokens_per_second": 2000.0,
        "memory_gb": 0,
        "seconds_left": 17.0,
    }, "no MFU on a CPU"
    found = scalars(tmp_path / "tensorboard/phase1")
    assert found["loss"] == pytest.approx({step: 10.0 - step / 10 for step in range(1, 21)})
    assert found["heldout_bits_per_byte"] == {20: 2.5}
    assert found["tokens_per_second"] == {10: 2000.0, 20: 2000.0}


def test_an_interrupted_training_goes_on_telling_behind_its_checkpoint(tmp_path: Path, clock: Clock) -> None:
    play(Telemetry(SHAPE, tmp_path), clock, 0, [10, 20])
    with (tmp_path / "pretrain/phase1.progress.jsonl").open("a") as torn:
        torn.write('{"step": 2')
    play(Telemetry(SHAPE, tmp_path), clock, 15, [30])
    steps = [json.loads(line)["step"] for line in (tmp_path / "pretrain/phase1.progress.jsonl").read_text().splitlines()]
    assert steps == [10, 30]
    assert [*scalars(tmp_path / "tensorboard/phase1")["loss"]] == [*range(1, 31)]
    play(Telemetry(SHAPE, tmp_path), clock, 0, [10])
    assert [*scalars(tmp_path / "tensorboard/phase1")["loss"]] == [*range(1, 11)], "what is trained anew is told anew"


def test_a_skipped_step_has_no_loss(tmp_path: Path, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    told = Telemetry(SHAPE, tmp_path)
    told.begin(0)
    clock.now += 1
    told.read(records(1, 40, loss=None, grad_norm=None, skipped="the loss is nan"))
    told.close()
    assert "step 40/40, skipped, LR 2.00e-03, 40,000 tokens/s" in capsys.readouterr().err
    assert 40 not in scalars(tmp_path / "tensorboard/phase1")["loss"]


def test_a_place_that_cannot_be_written_is_named_and_costs_no_training(
    tmp_path: Path, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pretrain").write_text("a file where the folder should be")
    play(Telemetry(SHAPE, tmp_path), clock, 0, [40])
    said = capsys.readouterr().err
    assert "phase1: how it goes is no longer written to" in said
    assert "step 40/40" in said


@pytest.mark.parametrize(
    ("device", "precision", "expected"),
    [
        ("NVIDIA H100 80GB HBM3", "bf16", 989e12),
        ("NVIDIA H100 PCIe", "bf16", 756e12),
        ("NVIDIA H200", "fp32", 67e12),
        ("NVIDIA A100-SXM4-80GB", "bf16", 312e12),
        ("NVIDIA GeForce RTX 4090", "bf16", None),
    ],
)
def test_peaks_are_those_of_the_device(device: str, precision: str, expected: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: device)
    assert telemetry._peak(precision) == expected


@pytest.mark.parametrize("stage", stages.STAGES)
def test_how_a_run_is_told_is_in_no_key(stage: str) -> None:
    assert not [module for module in source_code.closure(stages.STAGES[stage].module) if module.startswith("snow.console")]

"""How a training goes, while it does: a line in its log, the same as JSON lines and as TensorBoard's event files.

`logs/pretrain/MODEL.progress.jsonl` and `logs/tensorboard/MODEL/` say how fast this machine was, so they are no artifacts, and nothing
here is in a job's key: stages get at it through their job alone. What the device has computed is read when training reads it.
"""

from __future__ import annotations

import json
import resource
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snow.console.left import clock

EVERY = 10  # seconds between two lines
# Dense FLOP/s of a device in bf16 and in float32, by a part of its name; NVIDIA's data sheets (those of Hopper and Ada state bf16 with
# sparsity, which is twice as much). The first that fits.
PEAKS = {
    "H200 NVL": (835e12, 60e12),
    "H200": (989e12, 67e12),
    "H100 NVL": (835e12, 60e12),
    "H100 PCIe": (756e12, 51e12),
    "H100": (989e12, 67e12),
    "A100": (312e12, 19.5e12),
    "L40S": (362e12, 91.6e12),
}


@dataclass(frozen=True)
class Training:
    """What is trained: a model's name and shape, for how many steps of how many tokens, on how many workers, in which precision."""

    name: str
    parameters: int
    layers: int
    width: int
    sequence_length: int
    steps: int
    tokens_per_step: int
    workers: int
    precision: str

    @property
    def flop_per_token(self) -> float:
        """6N + 12LHQT of PaLM (Chowdhery et al. 2022, appendix B): every weight, and attention over the sequence; H heads of Q are the
        model's width. What is computed a second time to save memory does not count."""
        return 6.0 * self.parameters + 12.0 * self.layers * self.width * self.sequence_length


class Telemetry:
    """Tells of a training; `begin` comes first. A disk that takes nothing more costs what is told, never the training."""

    def __init__(self, training: Training, logs: Path) -> None:
        self._training = training
        self._lines = logs / "pretrain" / f"{training.name}.progress.jsonl"
        self._events = logs / "tensorboard" / training.name
        self._peak = _peak(training.precision)
        self._stream: Any = None
        self._writer: Any = None
        self._held_out: float | None = None

    def begin(self, done: int) -> None:
        """Training begins behind step `done`; what an earlier attempt told of later ones is forgotten, at 0 all of it."""
        self._done = self._marked = done
        self._started = self._mark = time.monotonic()
        self._said = 0.0
        if done:
            print(f"{self._training.name}: goes on behind step {done}", file=sys.stderr, flush=True)
        try:
            self._lines.parent.mkdir(parents=True, exist_ok=True)
            before = self._lines.read_text().splitlines(keepends=True) if done and self._lines.exists() else []
            self._lines.write_text("".join(line for line in before if line.endswith("\n") and json.loads(line)["step"] <= done))
            self._stream = self._lines.open("a")
            if not done:
                shutil.rmtree(self._events, ignore_errors=True)
            from tensorboardX import SummaryWriter

            self._writer = SummaryWriter(str(self._events), purge_step=done + 1 if done else None, filename_suffix=f".{done}")
        except OSError as error:
            self._give_up(error)
        except ImportError:
            print(f"{self._training.name}: no TensorBoard files, tensorboardX is not installed here; `make envs` does", file=sys.stderr)

    def read(self, records: Sequence[Mapping[str, Any]]) -> None:
        """The records of the steps since the last call, in their order, as they go into the training's log."""
        now, last = time.monotonic(), records[-1]
        self._held_out = last.get("heldout_bits_per_byte", self._held_out)
        rate = (last["step"] - self._marked) * self._training.tokens_per_step / max(1e-9, now - self._mark)
        mfu = rate * self._training.flop_per_token / (self._peak * self._training.workers) if self._peak else None
        left = (now - self._started) / (last["step"] - self._done) * (self._training.steps - last["step"])
        speed = {"tokens_per_second": round(rate, 1), "mfu": mfu and round(mfu, 4), "memory_gb": round(_memory_gb(), 3)}
        told = {**last, **{name: value for name, value in speed.items() if value is not None}, "seconds_left": round(left, 1)}
        self._keep(records, told)
        ends = last["step"] == self._training.steps
        if ends or "heldout_bits_per_byte" in last or now - self._said >= EVERY:
            self._said = now
            print(self._line(told), file=sys.stderr, flush=True)

    def goes_on(self, step: int) -> None:
        """The steps behind this one are computed, after what came between: a validation or a checkpoint is no part of their speed."""
        self._marked, self._mark = step, time.monotonic()

    def close(self) -> None:
        """Training is over, however it ended."""
        for each in filter(None, (self._stream, self._writer)):
            each.close()

    def _line(self, told: Mapping[str, Any]) -> str:
        parts = [f"step {told['step']}/{self._training.steps}", "skipped" if told["loss"] is None else f"loss {told['loss']:.3f}"]
        parts += [f"held-out {self._held_out:.3f} bits per byte"] if self._held_out is not None else []
        parts += [f"LR {told['lr']:.2e}"]
        parts += [f"gradient norm {told['grad_norm']:.2f}"] if told["grad_norm"] is not None else []
        parts += [f"{told['tokens_per_second']:,.0f} tokens/s"]
        parts += [f"MFU {told['mfu']:.1%}"] if "mfu" in told else []
        parts += [f"{told['memory_gb']:.1f} GB", f"ETA {clock(told['seconds_left'])}"]
        return f"{self._training.name}: {', '.join(parts)}"

    def _keep(self, records: Sequence[Mapping[str, Any]], told: Mapping[str, Any]) -> None:
        try:
            if self._stream is not None:
                self._stream.write(json.dumps(told) + "\n")
                self._stream.flush()
            if self._writer is not None:
                for record in (*records[:-1], told):
                    for name, value in record.items():
                        if name not in ("step", "tokens") and isinstance(value, int | float):
                            self._writer.add_scalar(name, value, record["step"])
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        print(f"{self._training.name}: how it goes is no longer written to {self._lines} and {self._events}: {error}", file=sys.stderr)
        self._stream = self._writer = None


def _peak(precision: str) -> float | None:
    """FLOP/s that this process's device has; None on a CPU and for a device that is not in the table."""
    import torch

    if not torch.cuda.is_available():
        return None
    name = torch.cuda.get_device_name()
    return next((peaks[precision != "bf16"] for part, peaks in PEAKS.items() if part in name), None)


def _memory_gb() -> float:
    """The most memory that this process had on its device so far, in 10^9 bytes; nothing is waited for."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9  # Linux counts in KiB

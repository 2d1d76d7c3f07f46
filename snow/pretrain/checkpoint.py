"""Checkpoints to continue from: model, optimizer and position, whole or not there, the last two kept.

A folder `step-00000120` appears by a rename after everything in it has reached the disk, so a kill at any moment leaves
either the new checkpoint or the ones before it. The log is cut back to the step a run continues from.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from snow import digest
from snow.errors import SnowError
from snow.pretrain.engine import Worker, wait_for_all

KEEP = 2
TAG = "state"
UNIVERSAL = "state_universal"
CLIENT = {"universal_checkpoint_info": {"universal_checkpoint_version": 0.2}}  # else ds_to_universal refuses ZeRO 1 and 2


def newest(work: Path) -> Path | None:
    """The newest complete checkpoint, or None."""
    return max(work.glob("step-*"), default=None)


def step_of(checkpoint: Path | None) -> int:
    """How many steps a checkpoint has behind it; 0 for none."""
    return int(checkpoint.name.removeprefix("step-")) if checkpoint else 0


def save(engine: Any, worker: Worker, work: Path, step: int) -> None:
    """Write the state after `step` steps; a collective. Older checkpoints than the last two go."""
    final, partial = work / f"step-{step:08d}", work / "partial"
    if worker.leads:
        shutil.rmtree(partial, ignore_errors=True)  # of a run killed while it wrote
        partial.mkdir()
    wait_for_all()
    engine.save_checkpoint(str(partial), tag=TAG, client_state=dict(CLIENT), save_latest=False)
    wait_for_all()
    if worker.leads:
        (partial / "position.json").write_text(json.dumps({"step": step, "workers": worker.size}))
        digest.fsync_tree(partial)
        os.replace(partial, final)
        digest.fsync(work)
        for old in sorted(work.glob("step-*"))[:-KEEP]:
            shutil.rmtree(old)
    wait_for_all()


def needs_conversion(checkpoint: Path | None, worker: Worker, zero_stage: int) -> bool:
    """Whether the optimizer's state was partitioned over another number of workers than there are now."""
    return checkpoint is not None and zero_stage > 0 and _workers(checkpoint) != worker.size


def convert(checkpoint: Path, worker: Worker) -> None:
    """Turn a checkpoint of other workers into DeepSpeed's universal form, beside the original state; a collective."""
    if worker.leads and not (checkpoint / UNIVERSAL).is_dir():
        folders = ["--input_folder", str(checkpoint / TAG), "--output_folder", str(checkpoint / "converting")]
        shutil.rmtree(checkpoint / "converting", ignore_errors=True)
        alone = {name: value for name, value in os.environ.items() if name not in {"RANK", "WORLD_SIZE", "LOCAL_RANK"}}
        command = [sys.executable, "-m", "deepspeed.checkpoint.ds_to_universal", *folders]
        done = subprocess.run(command, env=alone, capture_output=True, text=True, check=False)
        if done.returncode:
            said, writers = done.stderr.strip().splitlines()[-1:], _workers(checkpoint)
            raise SnowError(
                f"{checkpoint} of {writers} workers could not be converted for {worker.size} ({said}); "
                f"run with {writers} workers, or delete {checkpoint.parent} to start again"
            )
        os.replace(checkpoint / "converting", checkpoint / UNIVERSAL)
    wait_for_all()


def load(engine: Any, checkpoint: Path, universal: bool) -> None:
    """Put a checkpoint's model and optimizer into a fresh engine; a collective."""
    path, _ = engine.load_checkpoint(str(checkpoint), tag=UNIVERSAL if universal else TAG)
    if path is None:
        raise SnowError(f"{checkpoint} cannot be read; delete it to continue from the one before")


class Log:
    """`log.jsonl` in the work folder, one record per step; on disk before the checkpoint that follows it."""

    def __init__(self, path: Path, step: int) -> None:
        """Continue the log after `step` steps: later records, whole or torn by a kill, are cut off."""
        kept = path.read_bytes().splitlines(keepends=True)[:step] if path.exists() else []
        if len(kept) < step or any(json.loads(line)["step"] != number for number, line in enumerate(kept, 1)):
            raise SnowError(f"{path} does not hold the {step} steps of its checkpoint; delete {path.parent} to start again")
        path.touch()
        os.truncate(path, sum(map(len, kept)))  # in place: a kill here leaves a log that is cut or not cut, never a lost one
        self.path = path
        self._stream = path.open("a")

    def write(self, record: dict[str, Any]) -> None:
        """Append the record of one step."""
        self._stream.write(json.dumps(record) + "\n")
        self._stream.flush()

    def sync(self) -> None:
        """Return when everything written is on disk."""
        os.fsync(self._stream.fileno())


def _workers(checkpoint: Path) -> int:
    return int(json.loads((checkpoint / "position.json").read_text())["workers"])

"""Checkpoints to continue from: model, optimizer and position, whole or not there, the last two kept.

A folder `step-00000120` appears by a rename after everything in it has reached the disk, so a kill at any moment leaves
either the new checkpoint or the ones before it. What damages one later is told by the checksums that were written with it.
The log is cut back to the step a run continues from.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from snow import digest
from snow.errors import SnowError
from snow.pretrain.engine import Worker, highest, wait_for_all
from snow.slurm import progress

KEEP = 2
TAG = "state"
UNIVERSAL = "state_universal"
CONVERTING = "converting"  # what becomes UNIVERSAL
SUMS = "checksums.json"  # the MD5 of every other file of the folder
CLIENT = {"universal_checkpoint_info": {"universal_checkpoint_version": 0.2}}  # else ds_to_universal refuses ZeRO 1 and 2


def newest(work: Path, worker: Worker) -> Path | None:
    """The newest checkpoint that is whole and whose log is, or None; a collective. Newer ones, which are damaged, are named and removed."""
    found = sorted(work.glob("step-*"), reverse=True) if worker.leads else []
    damage: dict[Path, str] = {}
    whole = None
    for checkpoint in found:
        wrong = _damage(checkpoint) or _log_damage(work / "log.jsonl", step_of(checkpoint))
        if wrong is None:
            whole = checkpoint
            break
        damage[checkpoint] = wrong
    start = f"step {step_of(whole)}, the checkpoint before" if whole else "the start, as no checkpoint is left"
    for checkpoint, wrong in damage.items():
        print(f"{checkpoint} is damaged ({wrong}) and removed; training goes on from {start}", file=sys.stderr)
        shutil.rmtree(checkpoint)
    step = highest(step_of(whole), worker)
    return work / _name(step) if step else None


def step_of(checkpoint: Path | None) -> int:
    """How many steps a checkpoint has behind it; 0 for none."""
    return int(checkpoint.name.removeprefix("step-")) if checkpoint else 0


def save(engine: Any, worker: Worker, work: Path, step: int) -> None:
    """Write the state after `step` steps; a collective. Older checkpoints than the last two go."""
    final, partial = work / _name(step), work / "partial"
    if worker.leads:
        shutil.rmtree(partial, ignore_errors=True)  # of a run killed while it wrote
        partial.mkdir()
    wait_for_all()
    engine.save_checkpoint(str(partial), tag=TAG, client_state=dict(CLIENT), save_latest=False)
    wait_for_all()
    if worker.leads:
        (partial / "position.json").write_text(json.dumps({"step": step, "workers": worker.size}))
        _seal(partial)
        digest.fsync_tree(partial)
        os.replace(partial, final)
        digest.fsync(work)
        for old in sorted(work.glob("step-*"))[:-KEEP]:
            shutil.rmtree(old)
        progress.moved()
    wait_for_all()


def needs_conversion(checkpoint: Path | None, worker: Worker, zero_stage: int) -> bool:
    """Whether the optimizer's state was partitioned over another number of workers than there are now."""
    return checkpoint is not None and zero_stage > 0 and _workers(checkpoint) != worker.size


def convert(checkpoint: Path, worker: Worker) -> None:
    """Turn a checkpoint of other workers into DeepSpeed's universal form, beside the original state; a collective."""
    if worker.leads and _damage(checkpoint / UNIVERSAL) is not None:
        folders = ["--input_folder", str(checkpoint / TAG), "--output_folder", str(checkpoint / CONVERTING)]
        for left in (CONVERTING, UNIVERSAL):
            shutil.rmtree(checkpoint / left, ignore_errors=True)
        alone = {name: value for name, value in os.environ.items() if name not in {"RANK", "WORLD_SIZE", "LOCAL_RANK"}}
        command = [sys.executable, "-m", "deepspeed.checkpoint.ds_to_universal", *folders]
        done = subprocess.run(command, env=alone, capture_output=True, text=True, check=False)
        if done.returncode:
            said, writers = done.stderr.strip().splitlines()[-1:], _workers(checkpoint)
            raise SnowError(
                f"{checkpoint} of {writers} workers could not be converted for {worker.size} ({said}); "
                f"run with {writers} workers, or delete {checkpoint.parent} to start again"
            )
        _seal(checkpoint / CONVERTING)
        os.replace(checkpoint / CONVERTING, checkpoint / UNIVERSAL)
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
        path.touch()
        os.truncate(path, sum(map(len, _lines(path)[:step])))  # in place: a kill here leaves a log that is cut or not cut, never a lost one
        self.path = path
        self._stream = path.open("a")

    def write(self, records: Iterable[dict[str, Any]]) -> None:
        """Append the records of some steps."""
        self._stream.writelines(json.dumps(record) + "\n" for record in records)
        self._stream.flush()

    def sync(self) -> None:
        """Return when everything written is on disk."""
        os.fsync(self._stream.fileno())


def _name(step: int) -> str:
    return f"step-{step:08d}"


def _seal(folder: Path) -> None:
    """Write the checksums of everything in a folder into it."""
    (folder / SUMS).write_text(json.dumps(_sums(folder)))


def _damage(folder: Path) -> str | None:
    """What is not as it was when the folder was sealed, or None; files that are cut, changed, added or gone are all found."""
    try:
        sealed = json.loads((folder / SUMS).read_bytes())
        found = _sums(folder)
    except (OSError, ValueError) as error:
        return f"{SUMS} or a file it names cannot be read: {error}"
    wrong = sorted(name for name in sealed.keys() | found.keys() if sealed.get(name) != found.get(name))
    return f"{wrong[0]} is not as it was written" if wrong else None


def _sums(folder: Path) -> dict[str, str]:
    """The MD5 of each file by its path; what was converted has checksums of its own."""
    names = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    names = sorted(name for name in names if name.name != SUMS and name.parts[0] not in (UNIVERSAL, CONVERTING))
    with ThreadPoolExecutor() as threads:  # hashing lets other threads run, and a checkpoint has a file per worker
        return dict(zip(map(str, names), threads.map(lambda name: digest.file_md5(folder / name), names), strict=True))


def _log_damage(path: Path, step: int) -> str | None:
    """What keeps a log from being that of the first `step` steps, or None."""
    kept = _lines(path)[:step]
    try:
        whole = len(kept) == step and all(json.loads(line)["step"] == number for number, line in enumerate(kept, 1))
    except ValueError:
        whole = False
    return None if whole else f"{path.name} does not hold its {step} steps"


def records(path: Path, step: int) -> list[dict[str, Any]]:
    """What a log says of the first `step` steps."""
    return [json.loads(line) for line in _lines(path)[:step]]


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True) if path.exists() else []


def _workers(checkpoint: Path) -> int:
    return int(json.loads((checkpoint / "position.json").read_text())["workers"])

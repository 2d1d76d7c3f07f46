"""The tiny phase of tests/pretrain as a job of the cluster, to be frozen at a checkpoint."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
from pathlib import Path

from tests.pretrain.phase_jobs import Data, command, digest, finish

from .project import SNAKEFILE, Project

RULE = """\
rule pretrain:
    output:
        model=directory("model"),
        receipt="receipt.json",
    log:
        "logs/pretrain.log",
    threads: 1
    resources:
        mem_mb=1000,
        runtime=snow_workflow.growing({minutes}),
        nodes={nodes},
        tasks={tasks},
    shell:
        "{command} > {{log}} 2>&1"
"""
LONG = {"tokens": 200 * 8 * 64, "repetitions": 100}  # long enough to be interrupted


def write(project: Project, data: Data, nodes: int = 1, tasks: int = 1, minutes: int = 5, **changes: object) -> None:
    """A workflow whose one job is the tiny phase, called as the pipeline's rule calls it."""
    words = command(data, project.path, **changes)
    line = shlex.join(["snow", *words[words.index("snow") + 1 :], "--threads", "1"])
    rule = RULE.format(minutes=minutes, nodes=nodes, tasks=tasks, command=line)
    project.write(f'shell.prefix("exec ")\n{SNAKEFILE}\n{rule}')  # as the Snakefile has it


def alone(data: Data, folder: Path, **changes: object) -> Path:
    """The model of the same phase without Slurm."""
    finish(command(data, folder, **changes), folder)
    return folder / "model"


def result(model: Path) -> dict[str, str]:
    """The hashes of a model's files."""
    return {name: value for name, value in digest(model).items() if name != ".snakemake_timestamp"}


def newest(project: Project) -> int:
    """The step of its newest checkpoint."""
    return max((int(path.name.removeprefix("step-")) for path in project.path.glob(".snow/work/*/step-*")), default=0)


def stop(project: Project, step: int = 10) -> int:
    """Freeze the training, wherever its nodes are, once there is a checkpoint of that step or a later one; the checkpoint's step."""
    project.wait(lambda: newest(project) >= step, "checkpoints")
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").resolve() == project.path and b"\0snow\0pretrain\0" in (process / "cmdline").read_bytes():
                os.kill(int(process.name), signal.SIGSTOP)
    assert not (project.path / "model").exists()
    return newest(project)


def continued_from(project: Project) -> int:
    """The step behind which the newest attempt began, as it says first."""
    return int(re.findall(r"goes on behind step (\d+)", (project.path / "logs/pretrain.log").read_text())[-1])

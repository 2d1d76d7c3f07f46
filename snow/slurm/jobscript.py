"""What a job script written by Snakemake asks for, read back from the script."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snow.errors import SnowError

_PROPERTIES = "# properties = "


@dataclass(frozen=True)
class Request:
    """One submission: a job, or a group of jobs that run as one.

    `run` names the Snakemake process that asks; `targets` are the jobs as `rule:name=value,...`; `inputs` are the files made
    outside the group; `threads` and `resources` are the rules', summed up by Snakemake for a group.
    """

    script: Path
    run: str
    targets: tuple[str, ...]
    inputs: tuple[str, ...]
    threads: int
    resources: dict[str, Any]


def read(script: Path) -> Request:
    """The request in a job script. Raises SnowError when it is none."""
    lines = script.read_text().splitlines()
    properties = next((line.removeprefix(_PROPERTIES) for line in lines if line.startswith(_PROPERTIES)), None)
    command = next((line for line in lines if " --target-jobs " in line), None)
    if properties is None or command is None:
        raise SnowError(f"{script} is no job script of Snakemake 9; is --jobscript slurm/jobscript.sh in force?")
    asked, words = json.loads(properties), shlex.split(command)
    return Request(
        script=script,
        run=script.parent.name,
        targets=tuple(sorted(_values(words, "--target-jobs"))),
        inputs=tuple(_inputs(words)),
        threads=int(asked["threads"]),
        resources=asked["resources"],
    )


def _values(words: list[str], option: str) -> list[str]:
    """The words after an option, up to the next option."""
    if option not in words:
        return []
    rest = words[words.index(option) + 1 :]
    end = next((number for number, word in enumerate(rest) if word.startswith("--") or word == "&&"), len(rest))
    return rest[:end]


def _inputs(words: list[str]) -> list[str]:
    """What the job waits for before it starts: its inputs, after the folder of the submitting process."""
    listed = _values(words, "--wait-for-files-file")
    return (Path(listed[0]).read_text().splitlines() if listed else _values(words, "--wait-for-files"))[1:]

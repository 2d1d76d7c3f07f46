"""Artifacts that are exchanged while a run works: nothing goes on record that was not made so, and the run says what happened."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from tests.model import project
from tests.model.project import edit, environment


def run(clone: Path, *words: str) -> str:
    """What a program says that must succeed."""
    done = project.run(clone, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The toy recipe after a committed run, with another width in params.yaml."""
    made = project.create(tmp_path / "world")
    run(made, "snow", "check", "--fix")
    run(made, "snakemake", "all")
    project.git(made, "add", "-A")
    project.git(made, "commit", "-q", "-m", "a run")
    edit(made / "params.yaml", "width: 30", "width: 6")
    return made


def checked_out_beside(clone: Path, stage: str, line: str, *targets: str) -> str:
    """What a run says that fails: its jobs of a stage wait in their first line until `dvc checkout` has put back the older shards."""
    body = clone / f"snow/toy/{stage}.py"
    text = body.read_text()
    edit(body, line, f"    import os, time\n    while not os.path.exists('go'):\n        time.sleep(0.05)\n{line}")
    with subprocess.Popen(
        ["snakemake", "--cores", "4", *targets],
        cwd=clone,
        env=environment(clone),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        try:
            end = time.monotonic() + 120
            while not narrow(clone):
                assert running.poll() is None
                assert time.monotonic() < end
                time.sleep(0.05)
            time.sleep(2)  # the next job has hashed its inputs
            run(clone, "dvc", "checkout")
            assert not narrow(clone)
        finally:
            (clone / "go").touch()
        said, _ = running.communicate(timeout=120)
    assert running.returncode == 1, said
    body.write_text(text)
    return said


def narrow(clone: Path) -> bool:
    """Whether both shards lie there, cut to six characters and an end."""
    paths = [clone / f"corpus/shaped/0000{shard}.txt" for shard in range(2)]
    return all(path.exists() and max(map(len, path.read_text().splitlines())) <= 8 for path in paths)


def test_a_job_whose_inputs_were_exchanged_records_nothing(clone: Path) -> None:
    said = checked_out_beside(clone, "merge", "    seen: set", "all")
    assert "merge all: its input corpus/shaped/0000" in said
    assert " changed while it ran; run the same command again" in said
    run(clone, "snakemake", "all")
    run(clone, "snow", "why")
    shaped = {line for path in (clone / "corpus/shaped").glob("*.txt") for line in path.read_text().splitlines()}
    merged = {line for path in (clone / "corpus/merged").glob("*.txt") for line in path.read_text().splitlines()}
    assert narrow(clone)
    assert shaped == merged


def test_a_run_whose_results_were_exchanged_says_so(clone: Path) -> None:
    said = checked_out_beside(clone, "suite", "    words = ", "corpus-shaped", "suites")
    assert "what shape 0000" in said
    assert "made is not what lies there now: something else wrote there while the run worked" in said
    assert "other params than" not in said
    assert "0 jobs executed, 4 from the cache" in run(clone, "snakemake", "corpus-shaped", "suites")
    assert narrow(clone)

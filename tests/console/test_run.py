"""What a person sees of a run of the toy recipe, through real snakemake and `snow watch`."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import pytest

from tests.model import project
from tests.model.project import edit, environment, run

STATUS = r"\[ *\d+:\d\d, +\d+ of \d+ jobs(?:, (?:(?:over )?\d+ (?:s|min) left|time left unknown))?\] "


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The toy recipe, committed, nothing made."""
    made = project.create(tmp_path / "world")
    assert run(made, "snow", "check", "--fix").returncode == 0
    project.git(made, "add", "-A")
    project.git(made, "commit", "-q", "-m", "start")
    return made


def test_a_run_says_what_it_will_do_a_line_per_stage_and_what_it_made(clone: Path) -> None:
    done = run(clone, "snakemake", "all")
    assert done.returncode == 0, done.stderr
    said = done.stderr.splitlines()
    jobs, stages = map(int, re.search(r"(?m)^snow: (\d+) jobs of (\d+) stages to run", done.stderr).groups())  # type: ignore[union-attr]
    of_stages = [match[1] for line in said if (match := re.fullmatch(STATUS + r"(\w+): \d+ jobs? done", line))]
    assert len(of_stages) == len(set(of_stages)) == stages
    assert len(said) < stages + 15
    assert f"{jobs} jobs executed, 0 from the cache" in done.stderr
    assert "snow: made: corpus (" in done.stderr
    assert "belongs into git: git add dvc.lock && git commit" in done.stderr
    assert "snow: `snow watch` shows" in done.stderr
    log = clone / re.search(r"own log is (\S+),", done.stderr)[1]  # type: ignore[index]
    assert log.read_text().count("Finished jobid") == jobs + 1, "Snakemake's log has everything"
    assert "Finished jobid" not in done.stderr
    assert not (clone / ".snow/run.json").exists()

    idle = run(clone, "snakemake", "all")
    assert idle.returncode == 0
    assert "Nothing to be done" in idle.stderr
    assert "snow: " not in idle.stderr.replace("snow commit: ", "")


def test_what_comes_from_the_cache_is_told_apart(clone: Path) -> None:
    run(clone, "snakemake", "corpus-raw")
    project.git(clone, "add", "-A")
    project.git(clone, "commit", "-q", "-m", "a run")
    subprocess.run(["rm", "-r", "corpus", "receipts"], cwd=clone, check=True)
    again = run(clone, "snakemake", "corpus-raw")
    assert re.search(r"gather: 2 jobs done, from the cache", again.stderr), again.stderr
    assert "0 jobs executed, 2 from the cache" in again.stderr
    assert "made: corpus-raw\n" in again.stderr
    assert "git add" not in again.stderr, "dvc.lock is as it was committed"


@pytest.mark.parametrize("words", [("--verbose",), ("--printshellcmds",), ("-n",)])
def test_snakemakes_own_output_is_there_for_who_asks_for_it(clone: Path, words: tuple[str, ...]) -> None:
    said = run(clone, "snakemake", *words, "corpus-raw")
    assert said.returncode == 0
    text = said.stdout + said.stderr
    assert "Job stats" in text
    assert "rule gather:" in text
    assert ("Finished jobid" in text) == (words != ("-n",))
    assert "snow: " not in text.replace("snow commit: ", "")


def test_asked_to_be_quiet_it_is(clone: Path) -> None:
    assert "snow: " not in run(clone, "snakemake", "--quiet", "all", "--", "corpus-raw").stderr.replace("snow commit: ", "")


def test_a_job_that_fails_is_shown_whole(clone: Path) -> None:
    edit(clone / "snow/toy/gather.py", "    files = ", '    print("before it broke")\n    raise RuntimeError("it broke")\n    files = ')
    failed = run(clone, "snakemake", "corpus-raw")
    assert failed.returncode == 1
    assert "Error in rule gather" in failed.stderr
    assert failed.stderr.count("RuntimeError: it broke") >= 2, "Snakemake's and the last lines"
    assert "gather shard=00000 failed\n  log: logs/gather/00000.log" in failed.stderr
    assert not (clone / ".snow/run.json").exists()


def test_a_long_job_is_told_of_while_it_runs_and_watch_shows_it(clone: Path) -> None:
    edit(clone / "snow/console/run.py", "SILENCE = 28", "SILENCE = 2")
    edit(clone / "snow/console/run.py", "LOOK = 5", "LOOK = 0.5")
    slow = (
        "    import sys, time\n    from tqdm import tqdm\n"
        "    for _ in tqdm(range(40), unit='file', mininterval=0, file=sys.stderr):\n        time.sleep(0.25)\n    files = "
    )
    edit(clone / "snow/toy/gather.py", "    files = ", slow)
    assert run(clone, "snow", "watch").returncode == 1
    running = subprocess.Popen(
        ["snakemake", "--cores", "2", "corpus-raw"], cwd=clone, env=environment(clone), stderr=subprocess.PIPE, text=True
    )
    watched, told = "", r"(?m)^gather +0000[01] +0:\d\d +\d+ s +\d+ of 40 files$"  # no time left is known before the second file
    while running.poll() is None and not re.search(told, watched):
        time.sleep(0.5)
        watched = run(clone, "snow", "watch").stdout
    _, said = running.communicate(timeout=120)
    assert running.returncode == 0, said
    lines = re.findall(rf"(?m)^{STATUS}running: (.*)$", said)
    assert len(lines) >= 2, said
    assert re.search(r"gather 0000[01] \(0:\d\d, \d+ of 40 files\)", lines[-1])
    assert re.search(r"(?m)^0 of 2 jobs done after 0:\d\d, ", watched), watched
    assert re.search(told, watched), watched
    assert "to be done: gather 0/2" in watched
    assert "no run goes on" in run(clone, "snow", "watch").stdout


def test_watch_says_when_a_run_was_killed(clone: Path) -> None:
    edit(clone / "snow/console/run.py", "LOOK = 5", "LOOK = 0.2")
    edit(clone / "snow/toy/gather.py", "    files = ", "    import time\n    time.sleep(5)\n    files = ")
    running = subprocess.Popen(["snakemake", "corpus-raw"], cwd=clone, env=environment(clone), stderr=subprocess.DEVNULL)
    while not (clone / ".snow/run.json").exists():
        assert running.poll() is None
        time.sleep(0.1)
    running.kill()
    running.wait()
    said = run(clone, "snow", "watch")
    assert (said.returncode, "the last one was killed or lost" in said.stdout) == (1, True)

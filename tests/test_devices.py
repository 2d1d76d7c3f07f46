"""Which GPUs there are, and that a lease of some is exclusive, is waited for, and ends with the processes that have it.

The GPUs are names in CUDA_VISIBLE_DEVICES, which is all that this code ever knows of one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from snow import devices
from snow.errors import SnowError

from .conftest import ROOT

HOLD = """\
import os, sys, time
from snow import devices
devices.lease(int(sys.argv[1]))
print(os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
sys.stdin.read()
"""
PARENT = """\
import subprocess, sys
from snow import devices
devices.lease(2)
child = "import sys; from snow import devices; devices.share(); print('child', flush=True); sys.stdin.read()"
subprocess.run([sys.executable, "-c", child])
"""
LAUNCHED = """\
import os, sys
from snow import devices
devices.lease(2)
os.execv(sys.executable, [sys.executable, "-c", "import sys; print('launcher', flush=True); sys.stdin.read()"])
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with four GPUs of its own."""
    monkeypatch.setenv(devices.FOLDER, str(tmp_path / "leases"))
    monkeypatch.setenv(devices.VISIBLE, "0,1,2,3")
    monkeypatch.delenv(devices.LEASED, raising=False)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    return tmp_path


def start(*words: str) -> subprocess.Popen[str]:
    """A process that does what a Python text says."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", *words], env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def hold(count: int) -> subprocess.Popen[str]:
    """A job that has so many GPUs until its input ends; its first line names them."""
    return start(HOLD, str(count))


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def waits(process: subprocess.Popen[str]) -> str:
    """What a process says that has to wait."""
    assert process.stderr
    return process.stderr.readline().strip()


def end(*processes: subprocess.Popen[str]) -> None:
    for process in processes:
        process.communicate("", timeout=60)


@pytest.mark.parametrize(
    ("given", "names"),
    [("0,1", ("0", "1")), ("GPU-1a, 3", ("GPU-1a", "3")), ("", ()), ("-1", ()), ("2,-1,3", ("2",)), ("NoDevFiles", ("NoDevFiles",))],
)
def test_the_callers_gpus_are_the_ones_there_are(given: str, names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(devices.VISIBLE, given)
    assert devices.visible() == names


def test_else_those_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(devices.VISIBLE, raising=False)
    monkeypatch.setattr(devices, "NODES", tmp_path / "dev")
    monkeypatch.setattr(devices, "DRIVER", tmp_path / "gpus")
    (tmp_path / "dev").mkdir()
    for name in ("null", "nvidiactl", "nvidia-uvm"):
        (tmp_path / "dev" / name).touch()
    assert devices.visible() == ()
    for name in ("0000:17:00.0", "0000:65:00.0", "0000:ca:00.0"):
        (tmp_path / "gpus" / name).mkdir(parents=True)
    assert devices.visible() == ("0", "1", "2"), "no process has made the device nodes yet"
    for name in ("nvidia3", "nvidia5"):
        (tmp_path / "dev" / name).touch()
    assert devices.visible() == ("0", "1"), "a container that was given two of three"


def test_jobs_have_gpus_of_their_own_and_wait_for_them(machine: Path) -> None:
    first, second = hold(1), hold(2)
    taken = [*line(first).split(","), *line(second).split(",")]
    assert len(set(taken)) == 3
    third = hold(3)
    assert "waits for 3 of the GPUs 0,1,2,3" in waits(third)
    late = hold(1)
    assert "behind another job" in waits(late), "or who needs several would wait for ever"
    end(second)
    assert len(line(third).split(",")) == 3
    assert waits(late)
    end(first)
    assert line(late) in taken
    end(third, late)


def test_a_killed_job_gives_its_gpus_back(machine: Path) -> None:
    first = hold(4)
    assert line(first) == "0,1,2,3"
    first.kill()
    first.wait()
    second = hold(4)
    assert line(second) == "0,1,2,3"
    end(second)


def test_while_something_that_it_started_still_computes_they_are_taken(machine: Path) -> None:
    parent = start(PARENT)
    assert line(parent) == "child"
    parent.kill()
    parent.wait()
    other = hold(4)
    assert waits(other)
    assert parent.stdin
    parent.stdin.close()  # the child's too
    assert line(other) == "0,1,2,3"
    end(other)


def test_a_launcher_in_the_place_of_the_job_has_them_too(machine: Path) -> None:
    launcher, other = start(LAUNCHED), None
    assert line(launcher) == "launcher"
    other = hold(3)
    assert waits(other)
    end(launcher)
    assert line(other)
    end(other)


def test_more_than_there_are_is_refused_and_none_hides_all(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SnowError, match="--gpus 5 asks for more GPUs than the 4 here"):
        devices.lease(5)
    devices.lease(None)
    assert os.environ[devices.VISIBLE] == "0,1,2,3"
    devices.lease(0)
    assert os.environ[devices.VISIBLE] == ""
    monkeypatch.delenv(devices.VISIBLE)
    monkeypatch.setattr(devices, "NODES", machine)
    monkeypatch.setattr(devices, "DRIVER", machine / "nowhere")
    devices.lease(0)
    assert devices.VISIBLE not in os.environ, "on a machine without GPUs nothing changes"


def test_a_slurm_job_has_its_own_and_shares_them_out_only_where_it_runs_several(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = hold(4)
    line(everything)
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    devices.lease(4)
    assert devices.LEASED not in os.environ
    first, second = hold(1), hold(3)
    assert {*line(first).split(","), *line(second).split(",")} == {"0", "1", "2", "3"}
    end(everything, first, second)


def test_looking_costs_an_idle_run_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(devices.VISIBLE, raising=False)
    began = time.perf_counter()
    for _ in range(100):
        devices.visible()
    assert time.perf_counter() - began < 0.5, "5 ms each"

"""The GPUs of this machine, and a lease of some of them for as long as a job lives.

A GPU is free when nobody holds the lock of its file, which lies in a folder of the machine, so that two clones do not share one
either. The kernel releases a lock with the last process that holds it, however that process ends: the job itself, its workers, and a
server that it started, which may still be giving memory back when the job is gone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import sys
import time
from itertools import takewhile
from pathlib import Path
from typing import IO

from snow.errors import SnowError

VISIBLE = "CUDA_VISIBLE_DEVICES"
LEASED = "SNOW_LEASED"  # set where VISIBLE is a lease
FOLDER = "SNOW_LEASES"  # where the locks lie, if not in /tmp: containers that have the same GPUs need a folder they share
NODES = Path("/dev")
DRIVER = Path("/proc/driver/nvidia/gpus")  # has an entry for each GPU before there are device nodes, in a container perhaps too many
POLL_SECONDS = 0.5

_held: list[IO[str]] = []  # for the life of this process


def visible() -> tuple[str, ...]:
    """The GPUs that this process may use, by the names that CUDA_VISIBLE_DEVICES has for them: those it says already, else 0, 1, ...

    Nothing is asked of the driver, whose answer takes a second where no process keeps it awake.
    """
    given = os.environ.get(VISIBLE)
    if given is not None:
        names = (name.strip() for name in given.split(","))
        return tuple(dict.fromkeys(takewhile(lambda name: name and not name.startswith("-"), names)))  # CUDA reads no further
    nodes = sum(bool(re.fullmatch(r"nvidia\d+", name)) for name in os.listdir(NODES))
    return tuple(map(str, range(nodes or (len(os.listdir(DRIVER)) if DRIVER.is_dir() else 0))))


def lease(count: int | None) -> None:
    """Set CUDA_VISIBLE_DEVICES to `count` GPUs that are no other job's, and wait for them where others have them; of a job's
    worker, to those that the job has. None leaves it as it is. SnowError when there are not so many.

    A Slurm job has to itself what Slurm allots it, so only where that is more than `count` is there anything to share out.
    """
    if LEASED in os.environ:
        share()
        return
    if count is None:
        return
    names = visible()
    if names and not count:
        os.environ[VISIBLE] = ""
    if not count or (count >= len(names) and "SLURM_JOB_ID" in os.environ):
        return
    if count > len(names):
        raise SnowError(f"--gpus {count} asks for more GPUs than the {len(names)} here; give fewer")
    with _open("queue") as queue:  # whoever waits for several is not overtaken for ever by those who need one
        if not _locked(queue):
            print("waits for GPUs, behind another job", file=sys.stderr, flush=True)
            fcntl.flock(queue, fcntl.LOCK_EX)
        taken = _take(names, count)
    os.environ |= {VISIBLE: ",".join(taken), LEASED: "1"}


def share() -> None:
    """Hold the GPUs that the process which started this one has leased, so that they stay taken until this one has ended too."""
    if LEASED in os.environ:
        for name in visible():
            file = _open(name)
            fcntl.flock(file, fcntl.LOCK_SH)
            _held.append(file)


def _take(names: tuple[str, ...], count: int) -> list[str]:
    """Hold `count` of the GPUs, as soon as so many are free, and return their names in order. Only one process at a time is here."""
    taken: dict[str, IO[str]] = {}
    waits = False
    while True:
        for name in [name for name in names if name not in taken]:
            file = _open(name)
            if len(taken) < count and _locked(file):
                taken[name] = file
            else:
                file.close()
        if len(taken) == count:
            break
        if not waits:
            waits = True
            print(f"waits for {count} of the GPUs {','.join(names)}: other jobs have them", file=sys.stderr, flush=True)
        time.sleep(POLL_SECONDS)
    for file in taken.values():
        fcntl.flock(file, fcntl.LOCK_SH)  # for those who share it; who comes after us wants it alone
        os.set_inheritable(file.fileno(), True)  # a launcher that takes the place of this process holds it as well
    _held.extend(taken.values())
    return [name for name in names if name in taken]


def _locked(file: IO[str]) -> bool:
    """Whether nobody else holds the file, which we then do."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _open(name: str) -> IO[str]:
    """The file that stands for a GPU, the same for everybody on this machine; numbers mean others in every Slurm job."""
    folder = Path(os.environ.get(FOLDER, "/tmp/snow-leases"))
    path = folder / "-".join([os.environ.get("SLURM_JOB_ID", "machine"), re.sub(r"[^\w.-]", "_", name)])
    for place, mode in ((folder, 0o1777), (path, 0o666)):
        if not place.exists():
            with contextlib.suppress(FileExistsError):  # somebody was faster
                place.mkdir(parents=True) if place is folder else place.touch(exist_ok=False)
                place.chmod(mode)  # whatever the umask: other people's jobs lock it too
    return path.open()

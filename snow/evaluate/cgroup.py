"""A control group for the processes of a run, where this user may make one: the kernel bounds all memory they cause.

That is what /proc does not show of a process: message queues, pipes, sockets and files without a disk. Elsewhere what they hold
is watched from outside alone (`snow.evaluate.watching.resident`), which the control group does not replace: it says nothing until it kills.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REMOVE_SECONDS = 2.0  # for the kernel to take the last processes out
_numbers = itertools.count()


@dataclass(frozen=True)
class Group:
    """A control group; of the kernel's two interfaces the first has a hierarchy for memory, the second one for everything."""

    folder: Path

    def join(self, command: list[str]) -> list[str]:
        """The command that runs another one in this group, with its process id."""
        return ["/bin/sh", "-c", 'echo $$ > "$0" && exec "$@"', str(self.folder / "cgroup.procs"), *command]

    def exceeded(self) -> bool:
        """Whether the kernel killed a process for the group's memory."""
        for name in ("memory.events", "memory.oom_control"):
            with contextlib.suppress(OSError):
                facts = dict(line.split() for line in (self.folder / name).read_text().splitlines())
                return int(facts.get("oom_kill", 0)) > 0
        return False


@contextlib.contextmanager
def group(memory: int) -> Iterator[Group | None]:
    """A control group of at most so many bytes, gone with its context; None where there may be none."""
    place = _place()
    if place is None:
        yield None
        return
    made = _made(place, memory)
    try:
        yield made
    finally:
        end = time.monotonic() + REMOVE_SECONDS
        while not _removed(made.folder) and time.monotonic() < end:
            time.sleep(0.001)


def _made(place: Path, memory: int) -> Group:
    folder = place / f"snow-{os.getpid()}-{next(_numbers)}"
    folder.mkdir()
    second = (folder / "memory.max").exists()
    (folder / ("memory.max" if second else "memory.limit_in_bytes")).write_text(str(memory))
    with contextlib.suppress(OSError):  # where swap is not counted there is nothing to bound
        name, most = ("memory.swap.max", 0) if second else ("memory.memsw.limit_in_bytes", memory)
        (folder / name).write_text(str(most))
    return Group(folder)


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


@functools.cache
def _place() -> Path | None:
    """Where this process may make control groups that count memory. What killed ones left there is removed."""
    for place in _candidates():
        for left in place.glob("snow-*-*"):
            if not Path("/proc", left.name.split("-")[1]).exists():
                _removed(left)
        try:
            made = _made(place, 1 << 30)
        except OSError:
            continue
        if _removed(made.folder):
            return place
    return None


def _candidates() -> Iterator[Path]:
    """The folders of this process's own control groups, cgroups(7); of the second interface first that of the group above, because a
    group with processes of its own cannot bound others in it."""
    with contextlib.suppress(OSError):
        own = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
        mounts = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        for (_, controllers, path), fields in itertools.product(own, mounts):
            if not Path(path).is_relative_to(fields[3]):
                continue
            kind, options = fields[fields.index("-") + 1], fields[-1].split(",")
            folder = Path(fields[4]) / Path(path).relative_to(fields[3])
            if kind == "cgroup" and "memory" in options and "memory" in controllers.split(","):
                yield folder
            if kind == "cgroup2" and not controllers:
                yield from filter(_gives_memory, (folder.parent, folder))


def _gives_memory(folder: Path) -> bool:
    """Whether groups in this one, of the second interface, can count memory."""
    enabled = folder / "cgroup.subtree_control"
    return enabled.exists() and "memory" in enabled.read_text().split()

"""Control groups bound what processes hold, say so, and do not stay behind."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from snow.evaluate import cgroup
from snow.evaluate.cgroup import Group

PIPES = """
import fcntl, os
ends = [os.pipe() for _ in range(64)]
for _, end in ends:
    fcntl.fcntl(end, 1031, 1 << 20)
    os.write(end, bytes(1 << 20))
"""


@pytest.fixture
def group() -> Iterator[Group]:
    with cgroup.group(32 << 20) as made:
        if made is None:
            pytest.skip("this machine lets this user have no control group that counts memory")
        yield made


def run(group: Group, program: str) -> int:
    return subprocess.run(group.join([sys.executable, "-c", program]), check=False).returncode


@pytest.mark.parametrize("program", ["x = bytearray(64 << 20)", PIPES], ids=["its own memory", "pipes, which no process holds"])
def test_what_holds_too_much_is_killed(group: Group, program: str) -> None:
    assert run(group, "x = bytearray(1 << 20)") == 0
    assert not group.exceeded()
    assert run(group, program) == -9
    assert group.exceeded()


def test_what_a_killed_process_left_is_removed(group: Group) -> None:
    left = group.folder.parent / "snow-99999999-0"
    left.mkdir()
    cgroup._place.cache_clear()
    assert cgroup._place() == group.folder.parent
    assert not left.exists()
    assert group.folder.exists(), "others' groups stay"


def test_it_is_gone_with_its_context() -> None:
    with cgroup.group(32 << 20) as made:
        folder = made.folder if made else Path("absent")
    assert not folder.exists()

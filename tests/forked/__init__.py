"""`snakemake`, `dvc` and `snow` as real programs without their seconds of imports each: clients of a fork server per environment."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

ENVIRONMENTS = {"base": ("snakemake", "dvc", "snow"), "torch": ("snow",)}
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
_SHARED = contextlib.ExitStack()
_IN_TESTS = False


def in_memory() -> Path | None:
    """A folder in memory with room for everything here, where a flush to disk costs nothing; None where there is none."""
    shared = Path("/dev/shm")
    return shared if shared.is_dir() and os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > 1 << 29 else None


def begin() -> None:
    """From here on this process runs tests; what a bench measures is real programs."""
    global _IN_TESTS
    _IN_TESTS = True


def environments() -> Path:
    """The `.envs` of this process: the checkout's, or where it runs tests a stand-in that they share until `stop`."""
    return _shared() if _IN_TESTS else ROOT / ".envs"


@functools.cache
def _shared() -> Path:
    return _SHARED.enter_context(serving(*ENVIRONMENTS)) / ".envs"


def stop() -> None:
    """End what the stand-in has started, if anything."""
    _SHARED.close()


def socket_of(folder: Path, environment: str) -> Path:
    """Where the server of an environment listens."""
    return folder / f"{environment}.socket"


@contextlib.contextmanager
def serving(*environments: str) -> Iterator[Path]:
    """Fork servers for as long as this lasts, in a folder whose `.envs` stands in for the checkout's: the clients of those
    environments, the other environments as they are. Its path is short, because a socket's must be.
    """
    with contextlib.ExitStack() as servers:
        folder = Path(servers.enter_context(tempfile.TemporaryDirectory(prefix="snow-forked-", dir=in_memory())))
        (folder / ".envs").mkdir()
        for real in (ROOT / ".envs").iterdir():
            if real.name not in environments:
                (folder / ".envs" / real.name).symlink_to(real.resolve())
        started = [servers.enter_context(_server(folder, environment)) for environment in environments]
        for server in started:
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n"
        yield folder


@contextlib.contextmanager
def _server(folder: Path, environment: str) -> Iterator[subprocess.Popen[bytes]]:
    real, stand_in = (ROOT / ".envs" / environment).resolve(), folder / ".envs" / environment
    clients = stand_in / "bin"
    clients.mkdir(parents=True)
    for name in ("lib", "pyvenv.cfg", ".done"):
        (stand_in / name).symlink_to(real / name)
    given = [f'-DFORK_SERVER="{socket_of(folder, environment)}"', f'-DFORK_PYTHON="{real / "bin/python"}"']
    subprocess.run(["c++", "-O1", *given, "-o", str(clients / "python"), str(HERE / "client.cpp")], check=True)
    for program in ENVIRONMENTS[environment]:
        os.link(clients / "python", clients / program)
    words = [str(real / "bin/python"), str(HERE / "server.py"), environment, str(socket_of(folder, environment)), str(clients)]
    variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "SNOW_PARAMS")}
    variables |= {"HF_HUB_OFFLINE": "1", "NUMBA_CACHE_DIR": str(folder)}  # are read at import
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=variables) as server:
        yield server
        assert server.stdin is not None
        server.stdin.close()
        server.wait(60)

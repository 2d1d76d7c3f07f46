"""`snakemake`, `dvc` and `snow` without their second of imports each (see `forked`), one process group each."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .. import forked


@dataclass(frozen=True)
class Done:
    """A command that ended: its status (negative: the signal that killed it) and everything it printed."""

    words: tuple[str, ...]
    status: int
    output: str
    seconds: float


@dataclass
class Running:
    """A command under way in its own process group."""

    words: tuple[str, ...]
    process: int
    connection: socket.socket
    output: Path
    started: float

    def wait(self, seconds: float = 120) -> Done:
        """Its end; one that takes longer is killed and an AssertionError."""
        self.connection.settimeout(seconds)
        try:
            (status,) = struct.unpack("i", self.connection.recv(4))
        except TimeoutError:
            self.kill()
            raise AssertionError(f"{' '.join(self.words)} took more than {seconds} s\n{self.output.read_text()[-3000:]}") from None
        self.connection.close()
        text = self.output.read_text(errors="replace")
        self.output.unlink()
        return Done(self.words, os.waitstatus_to_exitcode(status), text, time.monotonic() - self.started)

    def kill(self) -> None:
        """SIGKILL to it and everything it started; returns when all of them are gone."""
        with contextlib.suppress(ProcessLookupError):
            while True:
                os.killpg(self.process, signal.SIGKILL)
                time.sleep(0.002)


@dataclass(frozen=True)
class Commands:
    """A running fork server: `folder` holds its socket, the clients and what commands print."""

    folder: Path

    def start(self, *words: str, cwd: Path, **variables: str) -> Running:
        """Begin a command in a clone."""
        output = self.folder / f"output-{time.monotonic_ns()}"
        inherited = {name: value for name, value in os.environ.items() if name in ("HOME", "LANG", "TMPDIR", "USER")}
        environment = inherited | {
            "PATH": f"{self.folder / '.envs/base/bin'}:{forked.ROOT / '.envs/base/bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(cwd),
            "XDG_CACHE_HOME": str(self.folder / "xdg"),
            "DVC_GLOBAL_CONFIG_DIR": str(self.folder / "dvc-global"),
            "DVC_SITE_CACHE_DIR": str(self.folder / "dvc-site"),
            "DVC_NO_ANALYTICS": "1",
            "CI": "1",  # keeps DVC from asking whether there is a newer DVC
            **variables,
        }
        said = [
            "0,1,2",
            "0",
            str(os.getpid()),
            str(cwd),
            str(len(words)),
            *words,
            *(f"{name}={value}" for name, value in environment.items()),
        ]
        data = b"".join(os.fsencode(word) + b"\0" for word in said)
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(forked.socket_of(self.folder, "base")))
        with open(os.devnull) as nothing, output.open("w") as stream:
            socket.send_fds(connection, [struct.pack("I", len(data))], [nothing.fileno(), stream.fileno(), stream.fileno()])
        connection.sendall(data)
        (process,) = struct.unpack("i", connection.recv(4))
        return Running(words, process, connection, output, time.monotonic())

    def run(self, *words: str, cwd: Path, **variables: str) -> Done:
        """A command from start to end."""
        return self.start(*words, cwd=cwd, **variables).wait()


@contextlib.contextmanager
def serving() -> Iterator[Commands]:
    """The commands of the base environment for as long as this lasts."""
    with forked.serving("base") as folder:
        yield Commands(folder)

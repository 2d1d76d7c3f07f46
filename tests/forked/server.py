"""A process that has the third-party parts of an environment's programs imported and forks once per command.

Started by the tests with the environment's own Python: each child puts the clone's own first
on its path and calls the program's `main` with the command's real words, open files, folder and environment (or, for `exec LINE`,
executes a line of Python). It joins the process group of the client that asked (`client.cpp`), or where that is of another session
has one of its own; it is killed when the client is, and has the client's signals; at its end it does what a Python does. For each
clone there is one more such process, forked from this one, that has the clone's modules imported as long as none of their files
changes in any way.

    python server.py ENVIRONMENT SOCKET BIN    # BIN: the folder with the clients, where the children believe their Python is
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import gc
import importlib
import os
import select
import signal
import socket
import struct
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from preloaded import CALLED, PRELOADED

CLONES = 6  # whose modules are kept imported


@dataclass(frozen=True)
class Request:
    """A client's words, folder and environment, with its connection and its open files."""

    said: bytes
    connection: socket.socket
    files: tuple[int, ...]

    @property
    def parts(self) -> tuple[str, str, str, list[str], dict[str, str]]:
        """The numbers of its files, its parent, its folder, its words, its variables."""
        numbers, _, parent, folder, count, *rest = [os.fsdecode(word) for word in self.said.split(b"\0")[:-1]]
        words, entries = rest[: int(count)], rest[int(count) :]
        return numbers, parent, folder, words, dict(entry.split("=", 1) for entry in entries)

    @property
    def group(self) -> int:
        """Its process group."""
        return int(self.said.split(b"\0", 2)[1])

    def close(self) -> None:
        """Forget it here; another process answers."""
        self.connection.close()
        for number in self.files:
            os.close(number)


@dataclass(frozen=True)
class Code:
    """The modules of a clone as they are: paths, with the times at which they were last changed in any way, and sizes."""

    files: frozenset[tuple[str, int, int]]

    @classmethod
    def of(cls, clone: Path) -> Code:
        """Those that lie there."""
        found = []
        for folder, _, names in os.walk(clone / "snow"):
            for path in (f"{folder}/{name}" for name in names if name.endswith(".py")):
                with contextlib.suppress(OSError):
                    told = os.stat(path)
                    found.append((path, told.st_ctime_ns, told.st_size))
        return cls(frozenset(found))


@dataclass(frozen=True)
class Clone:
    """A server that has the modules of a clone: as they were, so many of them, and the way to it."""

    code: Code
    modules: int
    control: socket.socket


def _receive(connection: socket.socket) -> tuple[bytes, list[int]]:
    """A message and what was sent along; OSError from a peer that is gone."""
    data, files, _, _ = socket.recv_fds(connection, 4, 64)
    try:
        if len(data) < 4:
            raise ConnectionError("the other side is gone")
        (size,), said = struct.unpack("I", data), b""
        while len(said) < size:
            part = connection.recv(size - len(said))
            if not part:
                raise ConnectionError("the other side is gone")
            said += part
    except OSError:
        for file in files:
            os.close(file)
        raise
    return said, files


class Server:
    """Forks a child per request. One that has a clone's modules imported besides gets its requests from the one it was forked from."""

    def __init__(self, bin_folder: str, source: socket.socket, learnt: tuple[socket.socket, socket.socket]) -> None:
        self.bin_folder, self.source = bin_folder, source
        self.to_learn, self.to_tell = learnt  # datagrams: the modules of `snow` that a child had in the end
        self.clones: dict[str, Clone] = {}
        self.modules: dict[str, None] = {}  # of `snow`, to be imported once per clone
        self.set: dict[str, str] = {}  # variables that imports have set
        self.ended = False  # whether no more requests come
        self.running: dict[int, socket.socket] = {}  # whose end clients wait for
        self.own: tuple[socket.socket, ...] = ()  # what wakes this server

    def serve(self, first: bool) -> NoReturn:
        """Until whoever started this one closes the first's standard input, and with it those of the others."""
        wake, waker = socket.socketpair()
        waker.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        ready = select.poll()
        for stream in (self.source, wake, *([sys.stdin, self.to_learn] if first else [])):
            ready.register(stream, select.POLLIN)
        for stream in (*self.running.values(), *self.own):  # of the server that this one was forked from
            stream.close()
        self.running, self.own = {}, (wake, waker)
        running = self.running
        gc.freeze()
        while True:
            for number, _ in ready.poll():
                if first and number == sys.stdin.fileno():
                    signal.set_wakeup_fd(-1)
                    raise SystemExit
                if number == wake.fileno():
                    wake.recv(4096)
                elif first and number == self.to_learn.fileno():
                    self.modules |= dict.fromkeys(self.to_learn.recv(1 << 20).decode().split())
                elif number == self.source.fileno():
                    request = self._next(first)
                    if request is None and not first:
                        ready.unregister(number)
                    if request is None or (first and self._passed_on(request)):
                        continue
                    child = os.fork()
                    if child == 0:
                        signal.set_wakeup_fd(-1)
                        for stream in (*self.own, self.source, *running.values(), *(clone.control for clone in self.clones.values())):
                            stream.close()
                        self._become(request)
                    running[child] = request.connection
                    for file in request.files:
                        os.close(file)
                    ready.register(request.connection, select.POLLRDHUP)
                else:  # whoever asked was killed, and so is the process that it believes to be
                    for child in (child for child, connection in running.items() if connection.fileno() == number):
                        leads = os.getpgid(child) == child
                        os.killpg(child, signal.SIGKILL) if leads else os.kill(child, signal.SIGKILL)
                    ready.unregister(number)
            _reap(running, ready)
            if self.ended and not running:
                os._exit(0)

    def _next(self, first: bool) -> Request | None:
        """None for a client that was killed, and where the first server is gone or has another in this one's place."""
        try:
            if first:
                connection = self.source.accept()[0]
                connection.settimeout(10)  # for one that is stopped
                said, files = _receive(connection)
                connection.settimeout(None)
            else:
                said, (number, *files) = _receive(self.source)
                os.set_inheritable(number, False)
                connection = socket.socket(fileno=number)
        except OSError:
            self.ended = not first
            return None
        return Request(said, connection, tuple(files))

    def _passed_on(self, request: Request) -> bool:
        """Whether a server that has the clone's own modules answers; it is made where none has them as they are now."""
        _, _, _, (program, *_), variables = request.parts
        path = variables.get("PYTHONPATH", "").split(":")[0]
        if program == "dvc" or not self.modules or not Path(path).is_absolute():
            return False
        code = Code.of(Path(path))
        if not code.files:
            return False
        known = self.clones.pop(path, None)
        if known is None or known.code != code or len(self.modules) > known.modules + 10:
            if known is not None:
                known.control.close()
            while len(self.clones) >= CLONES:
                self.clones.pop(next(iter(self.clones))).control.close()
            known = Clone(code, len(self.modules), self._with_modules(request, path))
        try:
            socket.send_fds(known.control, [struct.pack("I", len(request.said))], [request.connection.fileno(), *request.files])
            known.control.sendall(request.said)
        except OSError:  # it is gone
            known.control.close()
            return False
        self.clones[path] = known  # the last one used is the last to go
        request.close()
        return True

    def _with_modules(self, request: Request, path: str) -> socket.socket:
        """Fork a server for a clone; the way to it."""
        control, other = socket.socketpair()
        if os.fork() == 0:
            self._import(request, path, control, other)
        other.close()
        return control

    def _import(self, request: Request, path: str, control: socket.socket, source: socket.socket) -> NoReturn:
        """Turn this fork into a server for a clone."""
        signal.set_wakeup_fd(-1)
        for stream in (self.source, control, *(clone.control for clone in self.clones.values())):
            stream.close()
        request.close()
        self.clones, self.source = {}, source
        sys.path.insert(1, path)
        before = dict(os.environ)
        for module in self.modules:
            with contextlib.suppress(BaseException):  # which whoever needs it will meet
                importlib.import_module(module)
        self.set = {name: value for name, value in os.environ.items() if name not in before}
        sys.path.remove(path)
        self.serve(first=False)

    def _become(self, request: Request) -> NoReturn:
        """Turn this fork into the command that a client asks for."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a server in the background ignores it
        try:
            try:
                os.setpgid(0, request.group)
            except PermissionError:  # of another session
                os.setsid()
            request.connection.sendall(struct.pack("i", os.getpid()))
        except OSError:  # whoever asked was killed
            os._exit(125)
        request.connection.close()
        numbers, parent, folder, (name, *arguments), variables = request.parts
        streams = [fcntl.fcntl(stream, fcntl.F_DUPFD, 512) for stream in request.files]
        for stream in request.files:
            os.close(stream)
        learner = fcntl.fcntl(self.to_tell.fileno(), fcntl.F_DUPFD_CLOEXEC, 512)
        self.to_tell.close()
        self.to_learn.close()
        for number, stream in zip(numbers.split(","), streams, strict=True):
            os.dup2(stream, int(number))
            os.close(stream)
        sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode, closefd=False) for number, mode in enumerate("rww"))
        sys.stderr.reconfigure(line_buffering=True)
        sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(self.set | variables)
        os.getppid = lambda: int(parent)  # the client's; the server is nobody's parent
        sys.executable = f"{self.bin_folder}/python"
        sys.prefix = sys.exec_prefix = str(Path(self.bin_folder).parent)
        sys.argv = [f"{self.bin_folder}/{name}", *arguments]
        sys.orig_argv = [sys.executable, *sys.argv]
        sys.path[0] = self.bin_folder
        sys.path[1:1] = filter(None, variables.get("PYTHONPATH", "").split(":"))
        before = set(sys.modules)
        status = _run(name)
        threading._shutdown()  # as any interpreter ends, but for freeing what this process shares with the server
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        if own := [module for module in sys.modules if module.startswith("snow.") and module not in before]:
            with contextlib.suppress(OSError):
                os.write(learner, " ".join(own).encode())
        os._exit(status)


def _reap(running: dict[int, socket.socket], ready: select.poll) -> None:
    while True:
        try:
            process, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if process == 0:
            return
        if process not in running:  # a server of a clone
            continue
        with running.pop(process) as connection, contextlib.suppress(OSError):  # the client may be dead
            with contextlib.suppress(KeyError):
                ready.unregister(connection)
            connection.sendall(struct.pack("i", status))


def _run(name: str) -> int:
    """The program's `main`, to its exit status."""
    try:
        if name == "exec":
            exec(sys.argv[1], {})  # a line of the test's own
            status = 0
        else:
            module = {"snakemake": "snakemake.cli", "dvc": "dvc.cli", "snow": "snow.cli"}[name]
            status = importlib.import_module(module).main()
    except SystemExit as end:
        status = end.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    if status is None or isinstance(status, int):
        return int(status or 0)
    print(status, file=sys.stderr)
    return 1


def main() -> None:
    """Listen, so that clients wait for what is imported then, and serve."""
    environment, address, bin_folder = sys.argv[1:]
    sys.path[0] = str(Path(bin_folder))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(64)
    print("ready", flush=True)
    for module in PRELOADED[environment]:
        importlib.import_module(module)
    for module, name in CALLED[environment]:
        getattr(importlib.import_module(module), name)()
    assert "snow" not in sys.modules
    to_learn, to_tell = socket.socketpair(type=socket.SOCK_DGRAM)
    to_tell.setblocking(False)
    Server(bin_folder, listener, (to_learn, to_tell)).serve(first=True)


if __name__ == "__main__":
    main()

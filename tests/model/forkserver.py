"""A process that has the third-party parts of `snakemake`, `dvc` and `snow` imported and forks once per command.

Started by the tests with the `base` environment's Python, which never imports `snow` here: each child puts the clone's own first
on its path and calls the program's `main` with the command's real words, streams, folder and environment (or, for `exec LINE`,
executes a line of Python). It joins the process group of the client that asked (`client.cpp`), so killing the group kills it, and
what it does at its end is what a Python does.

    python forkserver.py SOCKET BIN    # BIN: the folder with the clients, which is where the children believe their Python is
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import selectors
import signal
import socket
import struct
import sys
from pathlib import Path
from typing import NoReturn

PRELOADED = (
    "argparse",
    "configparser",
    "cProfile",
    "graphlib",
    "ruamel.yaml",
    "pydantic",
    "yaml",
    "psutil",
    "resource",
    "sqlite3",
    "tarfile",
    "snakemake.cli",
    "snakemake.api",
    "snakemake.workflow",
    "snakemake.dag",
    "snakemake.executors.local",
    "snakemake.executors.dryrun",
    "snakemake.scheduling.milp",
    "snakemake.scheduling.greedy",
    "snakemake.utils",
    "snakemake.benchmark",
    "snakemake_executor_plugin_cluster_generic",
    "dvc.cli",
    "dvc.cli.parser",
    "dvc.repo",
    "dvc.stage",
    "dvc.stage.cache",
    "dvc.commands.status",
    "dvc.commands.repro",
    "dvc.commands.checkout",
    "dvc.commands.data_sync",
    "dvc.commands.gc",
    "dvc.rwlock",
    "dvc.dependency",
    "dvc.output",
    "dvc_data.hashfile.db.local",
    "dvc_data.index",
    "dvc_objects.fs.local",
)


def serve(address: str, bin_folder: str) -> NoReturn:
    """Fork a child per request until the process that started this one closes its standard input."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(64)
    wake, waker = socket.socketpair()
    waker.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    ready = selectors.DefaultSelector()
    for stream in (listener, wake, sys.stdin):
        ready.register(stream, selectors.EVENT_READ)
    running: dict[int, socket.socket] = {}
    gc.freeze()
    print("ready", flush=True)
    while True:
        for key, _ in ready.select():
            if key.fileobj is sys.stdin:
                raise SystemExit
            if key.fileobj is wake:
                wake.recv(4096)
            else:
                connection = listener.accept()[0]
                child = os.fork()
                if child == 0:
                    wake.close()
                    waker.close()
                    listener.close()
                    _become(connection, bin_folder)
                running[child] = connection
        _reap(running)


def _reap(running: dict[int, socket.socket]) -> None:
    while running:
        process, status = os.waitpid(-1, os.WNOHANG)
        if process == 0:
            return
        with running.pop(process) as connection, contextlib.suppress(OSError):  # the client may be dead
            connection.sendall(struct.pack("i", status))


def _become(connection: socket.socket, bin_folder: str) -> NoReturn:
    """Turn this fork into the command that a client asks for."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        data, streams, _, _ = socket.recv_fds(connection, 4, 3)
        (size,) = struct.unpack("I", data)
        said = b""
        while len(said) < size:
            part = connection.recv(size - len(said))
            if not part:
                os._exit(125)
            said += part
        group, parent, folder, count, *words = [os.fsdecode(word) for word in said.split(b"\0")[:-1]]
        os.setpgid(0, int(group))
        connection.sendall(struct.pack("i", os.getpid()))
    except (OSError, struct.error):  # whoever asked was killed
        os._exit(125)
    connection.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode, closefd=False) for number, mode in enumerate("rww"))
    sys.stderr.reconfigure(line_buffering=True)
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(entry.split("=", 1) for entry in words[int(count) :])
    os.getppid = lambda: int(parent)  # the client's; the server is nobody's parent
    name, *arguments = words[: int(count)]
    sys.executable = f"{bin_folder}/python"
    sys.argv = [f"{bin_folder}/{name}", *arguments]
    sys.orig_argv = [sys.executable, *sys.argv]
    sys.path[0] = bin_folder
    sys.path[1:1] = filter(None, os.environ.get("PYTHONPATH", "").split(":"))
    raise SystemExit(_run(name))  # the interpreter then ends as any other, exit handlers and teardown included


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
    """Import, then serve."""
    address, bin_folder = sys.argv[1:]
    sys.path[0] = str(Path(bin_folder))
    for module in PRELOADED:
        importlib.import_module(module)
    assert "snow" not in sys.modules
    serve(address, bin_folder)


if __name__ == "__main__":
    main()

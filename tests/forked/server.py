"""A process that has the third-party parts of an environment's programs imported and forks once per command.

Started by the tests with the environment's own Python, which never imports `snow` here: each child puts the clone's own first
on its path and calls the program's `main` with the command's real words, open files, folder and environment (or, for `exec LINE`,
executes a line of Python). It joins the process group of the client that asked (`client.cpp`), or where that is of another session
has one of its own; it is killed when the client is, and has the client's signals; at its end it does what a Python does.

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
from pathlib import Path
from typing import NoReturn

# Of threads, which do not live on in a fork, these start only OpenBLAS's and jemalloc's, and both know how to start them again.
PRELOADED = {
    "base": (
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
        "snakemake.assets",
        "snakemake.profiles",
        "snakemake.report.html_reporter",
        "snakemake.storage",
        "requests",
        "smart_open",
        "yte",
        "dvc.cachemgr",
        "dvc.data_cloud",
        "dvc.repo.artifacts",
        "dvc.repo.datasets",
        "dvc.repo.index",
        "dvc.repo.metrics",
        "dvc.repo.open_repo",
        "dvc.repo.params",
        "dvc.repo.plots",
        "dvc.repo.stage",
        "dvc.scm",
        "dvc.utils.strictyaml",
        "dvc_data.hashfile.status",
        "dvc_data.index.collect",
        "dvc_data.index.fetch",
        "dvc_render",
        "dulwich.client",
        "flatten_dict",
        "fsspec.implementations.memory",
        "rich.json",
        "scmrepo.git",
        "dvc_objects.fs.local",
    ),
    "torch": (
        "pydantic",
        "yaml",
        "psutil",
        "pyarrow.parquet",
        "pyarrow.compute",
        "numba",
        "torch",
        "torch.distributed",
        "transformers",
        "transformers.generation.utils",
        "transformers.models.auto.modeling_auto",
        "transformers.models.auto.tokenization_auto",
        "transformers.models.bert.modeling_bert",
        "transformers.models.llama.modeling_llama",
        "deepspeed",
        "openai",
        "sklearn.linear_model",
        "sklearn.metrics",
        "sklearn.preprocessing",
    ),
}


def serve(listener: socket.socket, bin_folder: str) -> NoReturn:
    """Fork a child per request until the process that started this one closes its standard input."""
    wake, waker = socket.socketpair()
    waker.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    ready = select.poll()
    for stream in (listener, wake, sys.stdin):
        ready.register(stream, select.POLLIN)
    running: dict[int, socket.socket] = {}
    gc.freeze()
    while True:
        for number, _ in ready.poll():
            if number == sys.stdin.fileno():
                raise SystemExit
            if number == wake.fileno():
                wake.recv(4096)
            elif number == listener.fileno():
                connection = listener.accept()[0]
                child = os.fork()
                if child == 0:
                    wake.close()
                    waker.close()
                    listener.close()
                    _become(connection, bin_folder)
                running[child] = connection
                ready.register(connection, select.POLLRDHUP)
            else:  # whoever asked was killed, and so is the process that it believes to be
                for child in (child for child, connection in running.items() if connection.fileno() == number):
                    leads = os.getpgid(child) == child
                    os.killpg(child, signal.SIGKILL) if leads else os.kill(child, signal.SIGKILL)
                ready.unregister(number)
        _reap(running, ready)


def _reap(running: dict[int, socket.socket], ready: select.poll) -> None:
    while running:
        process, status = os.waitpid(-1, os.WNOHANG)
        if process == 0:
            return
        with running.pop(process) as connection, contextlib.suppress(OSError):  # the client may be dead
            with contextlib.suppress(KeyError):
                ready.unregister(connection)
            connection.sendall(struct.pack("i", status))


def _become(connection: socket.socket, bin_folder: str) -> NoReturn:
    """Turn this fork into the command that a client asks for."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        data, received, _, _ = socket.recv_fds(connection, 4, 64)
        (size,) = struct.unpack("I", data)
        said = b""
        while len(said) < size:
            part = connection.recv(size - len(said))
            if not part:
                os._exit(125)
            said += part
        numbers, group, parent, folder, count, *words = [os.fsdecode(word) for word in said.split(b"\0")[:-1]]
        try:
            os.setpgid(0, int(group))
        except PermissionError:  # of another session
            os.setsid()
        connection.sendall(struct.pack("i", os.getpid()))
    except (OSError, struct.error):  # whoever asked was killed
        os._exit(125)
    connection.close()
    streams = [fcntl.fcntl(stream, fcntl.F_DUPFD, 512) for stream in received]
    for stream in received:
        os.close(stream)
    for number, stream in zip(numbers.split(","), streams, strict=True):
        os.dup2(stream, int(number))
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
    sys.prefix = sys.exec_prefix = str(Path(bin_folder).parent)
    sys.argv = [f"{bin_folder}/{name}", *arguments]
    sys.orig_argv = [sys.executable, *sys.argv]
    sys.path[0] = bin_folder
    sys.path[1:1] = filter(None, os.environ.get("PYTHONPATH", "").split(":"))
    status = _run(name)
    threading._shutdown()  # as any interpreter ends, but for freeing what this process shares with the server
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


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
    assert "snow" not in sys.modules
    serve(listener, bin_folder)


if __name__ == "__main__":
    main()

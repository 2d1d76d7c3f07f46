"""`python -m snow.synthesis.llamacpp`: llama.cpp's OpenAI-compatible server for one GGUF file on loopback, until it is killed."""

from __future__ import annotations

import argparse
import os
import signal

import xllamacpp

KEY_VARIABLE = "SNOW_SERVER_KEY"


def main() -> None:
    """Serve; the API key comes from the environment because other users of the machine can read command lines."""
    options = argparse.ArgumentParser()
    for name in ("--model", "--name"):
        options.add_argument(name, required=True)
    for name in ("--port", "--parallel", "--context", "--threads"):
        options.add_argument(name, type=int, required=True)
    given = options.parse_args()

    params = xllamacpp.CommonParams()
    params.model.path = given.model
    params.model_alias = {given.name}
    params.hostnames = ["127.0.0.1"]
    params.port = given.port
    params.api_keys = [os.environ[KEY_VARIABLE]]
    params.n_parallel = given.parallel
    params.n_ctx = given.context * given.parallel  # one context window per slot
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads = given.threads
        cpu.poll = 0
    server = xllamacpp.Server(params)
    print(f"listening on {server.listening_address}", flush=True)
    signal.pause()


if __name__ == "__main__":
    main()

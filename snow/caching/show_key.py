"""`snow key STAGE [INSTANCE]`: a job's key and everything in it, printable and comparable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from snow import source_code, stages
from snow.caching import hashes, ledger, spec
from snow.errors import SnowError
from snow.params import Params
from snow.stages import stage as stage_of


def describe(params: Params, name: str, instance: str) -> dict[str, Any]:
    """The key the job would have now, over the inputs its last run named. Raises SnowError for a job that was never run here."""
    stage, job = stage_of(name), stage_of(name).job(params, instance)
    graph = stages.graph(params)
    receipt = Path(job.receipt)
    if not receipt.exists():
        raise SnowError(f"{name} {instance} was never run here (no {receipt}); run it first")
    told = json.loads(receipt.read_bytes())
    present = hashes.contents(Path(path) for pairs in told["inputs"].values() for path, _ in pairs)
    inputs = {
        input_name: {path: found.md5 if (found := present[Path(path)]) else "missing" for path, _ in pairs}
        for input_name, pairs in told["inputs"].items()
    }
    decided = ledger.Specs(params, graph).of(job)
    if "sources" in decided:  # what is not known here counts as its last run knew it
        decided = decided | {"sources": spec.filled(told["spec"].get("sources"), decided["sources"])}
    return {
        "stage": name,
        "instance": instance,
        "key": spec.key(decided, instance, {input_name: list(md5s.values()) for input_name, md5s in inputs.items()}),
        "key_of_outputs": told["key"],
        "spec": decided,
        "inputs": inputs,
        "symbols": source_code.table(stage.module),
    }


def run(params: Params, name: str, instance: str) -> int:
    """Print the description as JSON; 0 when the outputs in place have that key, 1 when they do not."""
    found = describe(params, name, instance)
    print(json.dumps(found, indent=1, ensure_ascii=False))
    return 0 if found["key"] == found["key_of_outputs"] else 1

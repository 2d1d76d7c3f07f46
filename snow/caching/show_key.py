"""`snow key STAGE [INSTANCE]`: a job's key and everything in it, printable and comparable."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from snow import source_code, stages
from snow.caching import hashes, ledger, spec
from snow.errors import SnowError
from snow.graph import receipt as receipt_of
from snow.params import Params
from snow.stages import stage as stage_of


def describe(params: Params, name: str, instance: str) -> dict[str, Any]:
    """The key the job would have now, over the inputs its last run named. Raises SnowError for a job that was never run here."""
    stage, job = stage_of(name), stage_of(name).job(params, instance)
    graph = stages.graph(params)
    receipt = Path(receipt_of(name, instance))
    if not receipt.exists():
        raise SnowError(f"{name} {instance} was never run here (no {receipt}); run it first")
    told = json.loads(receipt.read_bytes())
    present = hashes.contents(Path(path) for pairs in told["inputs"].values() for path, _ in pairs)
    inputs = {
        input_name: [found.md5 if (found := present[Path(path)]) else "missing" for path, _ in pairs]
        for input_name, pairs in told["inputs"].items()
    }
    decided = ledger.Specs(params, graph).of(job)
    if "sources" in decided:  # what is not known here counts as its last run knew it
        decided = decided | {"sources": spec.filled(told["spec"].get("sources"), decided["sources"])}
    return {
        "stage": name,
        "instance": instance,
        "key": spec.key(decided, instance, inputs),
        "key_of_outputs": told["key"],
        "spec": decided,
        "inputs": {
            input_name: dict(zip([path for path, _ in told["inputs"][input_name]], digests, strict=True))
            for input_name, digests in inputs.items()
        },
        "symbols": {
            symbol: digest for module in source_code.closure(stage.module) for symbol, digest in sorted(source_code.symbols(module).items())
        },
    }


def run(params: Params, name: str, instance: str) -> int:
    """Print the description as JSON; 0 when the outputs in place have that key, 1 when they do not."""
    found = describe(params, name, instance)
    json.dump(found, sys.stdout, indent=1, ensure_ascii=False)
    print()
    return 0 if found["key"] == found["key_of_outputs"] else 1

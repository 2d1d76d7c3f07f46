"""Early cut-off where many jobs read what one job makes: clusters, tokenizer, held-out list, annotator, selection.

Snakemake decides before a run which jobs it starts, and starts whatever is downstream of another (F8 of the caching notes): one
new shard makes the clustering run, and then a job for every other shard, to find its result in the cache. So where a job that
is to run has MANY readers that are otherwise current, the run makes that one first, in a Snakemake of its own, and then starts
over: what came out equal needs no job.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from typing import Any

from snow import snakemake_run
from snow.caching import ledger
from snow.params import Params

MANY = 50  # readers; to start over costs about what it costs to start ten jobs
FIRST = "SNOW_FIRST"  # set in such a Snakemake: what follows will write dvc.lock
SETTLED = "SNOW_SETTLED"  # what this command has made first already, so that a job that never comes out current is made once


def make_first(workflow: Any, params: Params) -> None:
    """In `onstart`: returns when nothing is worth making first, else starts over after it has been made."""
    artifact = _next(snakemake_run.jobs_to_run(workflow), params)
    if artifact is None:
        return
    name, readers = artifact
    settled = {SETTLED: " ".join([*os.environ.get(SETTLED, "").split(), name])}
    print(f"snow: {name} first; then which of the {readers} jobs that read it have anything to do", file=sys.stderr)
    snakemake_run.run_first(workflow, name, settled | {FIRST: "1"})
    snakemake_run.start_over(settled)


def _next(running: Counter[str], params: Params) -> tuple[str, int] | None:
    """The first artifact in the recipe's order that is to be made and has many readers that otherwise are current; how many."""
    if sum(running.values()) < MANY:
        return None
    seen = ledger.look(params)
    waiting = [verdict for verdict in seen.verdicts.values() if verdict.state == "waiting" and running[verdict.stage]]
    readers = Counter(name for verdict in waiting for name in verdict.waits_for)
    settled = os.environ.get(SETTLED, "").split()
    for job in seen.graph.jobs:
        if running[job.stage] and readers[job.name] >= MANY and job.artifact not in settled:
            return job.artifact, readers[job.name]
    return None

"""`snow why`: which jobs a run would execute and the exact cause of each, from contents alone.

A job is current, out of date (with causes), missing (never made, or its receipt is gone), or waiting: it reads a file that one
of the others will make, and runs only if those bytes come out different.
"""

from __future__ import annotations

import functools
import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from snow import graph
from snow.caching import ledger, symbols
from snow.params import Params
from snow.stages import STAGES


@dataclass(frozen=True)
class Verdict:
    """The state of one job: current, outdated, missing or waiting; causes for outdated, the jobs it waits for for waiting."""

    stage: str
    instance: str
    state: str
    causes: tuple[ledger.Cause, ...] = ()
    waits_for: tuple[str, ...] = field(default=())


def verdicts(params: Params) -> list[Verdict]:
    """The state of every job of the recipe, in the stages' order."""
    entries = ledger.read()
    present = ledger.workspace(entries)
    specs = ledger.Specs(params)
    by_name = {entry.name: entry for entry in entries}
    states: dict[str, Verdict] = {}
    for entry in entries:
        found = [each for cause in ledger.causes(entry, specs.of(entry.stage, entry.instance), present) for each in _named(cause, entry)]
        states[entry.name] = Verdict(entry.stage.name, entry.instance, "outdated" if found else "current", tuple(found))
    wanted = [f"{stage} {instance}" for stage, instances in graph.instances(params).items() for instance in instances]
    for name in wanted:
        stage, _, instance = name.partition(" ")
        states.setdefault(name, Verdict(stage, instance, "missing"))
    made = ledger.makers(entries)
    for entry in entries:  # topological, so a job's makers are settled before it
        verdict = states[entry.name]
        sources = {made[output].name for path, _ in entry.inputs for output in ledger.sources_of(path, made)}
        upstream = sorted(name for name in sources if states[name].state != "current")
        if verdict.state == "current" and upstream:
            states[entry.name] = Verdict(verdict.stage, verdict.instance, "waiting", (), tuple(upstream))
    return [states[name] for name in wanted if name in by_name or name in states]


@functools.cache
def _symbols(module: str, old: str) -> list[tuple[str, str | None, str | None]] | None:
    return symbols.changed(module, old)


def _named(cause: ledger.Cause, entry: ledger.Entry) -> list[ledger.Cause]:
    """The cause; of a change of code, one per definition that changed, where those can be found out."""
    if cause.kind != "code" or cause.what != entry.stage.name:
        return [cause]
    found = _symbols(entry.stage.module, cause.old)
    return [ledger.Cause("code", *each) for each in found] if found else [cause]


def run(params: Params, stage: str | None, as_json: bool) -> int:
    """Print the verdicts, of one stage or of all; 0 when everything is current, 1 when a run would do something."""
    found = [verdict for verdict in verdicts(params) if stage in (None, verdict.stage)]
    open_jobs = [verdict for verdict in found if verdict.state != "current"]
    if as_json:
        json.dump([asdict(verdict) for verdict in found], sys.stdout, indent=1)
        print()
    else:
        _print(found, open_jobs)
    return 1 if open_jobs else 0


def _print(found: list[Verdict], open_jobs: list[Verdict]) -> None:
    if not open_jobs:
        print(f"everything is current ({len(found)} jobs)")
    for name in STAGES:
        mine = [verdict for verdict in found if verdict.stage == name]
        for state, text in (("outdated", "out of date"), ("missing", "not made yet"), ("waiting", "waiting")):
            group = [verdict for verdict in mine if verdict.state == state]
            if not group:
                continue
            print(f"{name}: {len(group)} of {len(mine)} jobs {text}")
            for line in dict.fromkeys(sentence(cause) for verdict in group for cause in verdict.causes):
                print(f"  {line}")
            if state == "waiting":
                stages = list(dict.fromkeys(name.partition(" ")[0] for verdict in group for name in verdict.waits_for))
                print(f"  runs if what {', '.join(stages)} makes comes out different")


def sentence(cause: ledger.Cause) -> str:
    """A cause in words."""
    if cause.kind == "param":
        return f"param {cause.what}: {_short(cause.old)} -> {_short(cause.new)}"
    if cause.kind == "package":
        return f"package {cause.what}: {cause.old} -> {cause.new}"
    if cause.kind == "code":
        return f"code {cause.what} {'was added' if cause.old is None else 'was removed' if cause.new is None else 'changed'}"
    if cause.kind == "source":
        return "a source changed"
    state = "is gone" if cause.new is None else "changed"
    return f"{cause.kind} {cause.what} {state}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def previous_output_bytes(verdict: Verdict) -> int:
    """Bytes a job's outputs take now, 0 when there are none."""
    receipt = Path(graph.receipt(verdict.stage, verdict.instance))
    if not receipt.exists():
        return 0
    paths = [Path(path) for path, _ in json.loads(receipt.read_bytes())["outputs"].values()]
    files = [file for path in paths if path.exists() for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()]
    return sum(file.stat().st_size for file in files)

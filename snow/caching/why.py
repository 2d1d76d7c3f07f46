"""`snow why`: which jobs a run would execute and the exact cause of each, from contents alone.

`snow.caching.ledger` decides; this module names what changed in a stage's code and prints.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

from snow.caching import ledger, symbols
from snow.caching.ledger import Verdict
from snow.errors import SnowError
from snow.params import Params
from snow.stages import STAGES


def verdicts(seen: ledger.Ledger) -> list[Verdict]:
    """The verdict on every job of the recipe, a change of code named by definition."""
    return [replace(verdict, causes=tuple(_named(seen, verdict))) for verdict in seen.verdicts.values()]


@functools.cache
def _symbols(module: str, old: str) -> list[tuple[str, str | None, str | None]] | None:
    return symbols.changed(module, old)


def _named(seen: ledger.Ledger, verdict: Verdict) -> Iterator[ledger.Cause]:
    """The causes; instead of a change of code, one per definition that changed, where those can be found out."""
    for cause in verdict.causes:
        code = cause.kind == "code" and cause.what == verdict.stage
        found = _symbols(STAGES[verdict.stage].module, cause.old) if code else None
        yield from [ledger.Cause("code", *each) for each in found] if found else [cause]


def run(params: Params, artifact: str | None, as_json: bool) -> int:
    """Print the verdicts, of one artifact or of all; 0 when everything is current, 1 when a run would do something."""
    seen = ledger.look(params)
    if artifact is not None and artifact not in seen.graph.artifacts:
        raise SnowError(f"there is no artifact {artifact!r}; these are: {', '.join(seen.graph.artifacts)}")
    jobs = {(job.stage, job.instance) for job in seen.graph.jobs if artifact in (None, job.artifact)}
    found = [verdict for verdict in verdicts(seen) if (verdict.stage, verdict.instance) in jobs]
    open_jobs = [verdict for verdict in found if verdict.state != "current"]
    if as_json:
        print(json.dumps([asdict(verdict) for verdict in found], indent=1))
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
    if cause.kind == "reads":
        return f"{cause.what} is {'read too' if cause.new else 'no longer read'}"
    state = "is gone" if cause.new is None else "changed"
    return f"{cause.kind} {cause.what} {state}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def output_bytes(seen: ledger.Ledger, verdict: Verdict) -> int:
    """Bytes a job's outputs take now, 0 when there are none."""
    job = seen.graph.by_name[f"{verdict.stage} {verdict.instance}"]
    return sum(content.size for path in job.outputs.values() if (content := seen.present[path]) is not None)

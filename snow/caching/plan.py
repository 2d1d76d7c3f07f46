"""`snow plan`: what a run would do and what it would cost, before it does it.

Where a cost comes from (`snow/caching/estimates.py`) stands beside it. Jobs that only wait for others count in full: whether their
inputs come out different is not known before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from snow.caching import estimates, ledger, why
from snow.caching.ledger import Ledger, Verdict
from snow.params import Params


@dataclass(frozen=True)
class Line:
    """The open jobs of one stage: how many, seconds of one machine, GPU hours, tokens, bytes on disk, and where that comes from."""

    stage: str
    jobs: int
    waiting: int
    seconds: float | None
    gpu_hours: float | None
    tokens: int
    bytes: int
    basis: str


def lines(params: Params, seen: Ledger) -> list[Line]:
    """One line per stage that has open jobs."""
    found = []
    for stage in seen.graph.instances:
        mine = [verdict for verdict in seen.verdicts.values() if verdict.stage == stage and verdict.state != "current"]
        if mine:
            found.append(_line(params, seen, stage, mine))
    return found


def _line(params: Params, seen: Ledger, stage: str, mine: list[Verdict]) -> Line:
    instances = [verdict.instance for verdict in mine]
    expected = estimates.of(params, stage, instances)
    return Line(
        stage,
        len(mine),
        sum(verdict.state == "waiting" for verdict in mine),
        None if expected.seconds is None else sum(expected.seconds),
        expected.gpu_hours,
        estimates.tokens(params, stage, instances),
        sum(why.output_bytes(seen, verdict) for verdict in mine),
        expected.basis,
    )


def warnings(seen: Ledger) -> list[str]:
    """Edits that train again, or may, said before they do."""
    verdicts = {f"{verdict.stage} {verdict.instance}": verdict for verdict in why.verdicts(seen)}
    found = []
    for verdict in verdicts.values():
        if verdict.stage != "pretrain" or verdict.state not in ("outdated", "waiting"):
            continue
        roots = [verdict] if verdict.causes else [verdicts[name] for name in _roots(verdict, verdicts)]
        reasons = (
            "; ".join(dict.fromkeys(why.sentence(cause) for root in roots for cause in root.causes)) or "what it reads is not made yet"
        )
        unless = "" if verdict.causes else ", unless what it reads comes out the same,"
        found.append(f"warning: {verdict.instance} would be trained again{unless} ({reasons})")
    return found


def _roots(verdict: Verdict, verdicts: Mapping[str, Verdict]) -> list[str]:
    """The jobs upstream that are out of date or missing themselves."""
    seen: set[str] = set()
    queue = list(verdict.waits_for)
    while queue:
        name = queue.pop()
        if name not in seen and name in verdicts:
            seen.add(name)
            queue += verdicts[name].waits_for
    return [name for name in sorted(seen) if verdicts[name].state in ("outdated", "missing")]


def run(params: Params, as_json: bool) -> int:
    """Print the plan; 0 when nothing would run, 1 otherwise."""
    seen = ledger.look(params)
    found = lines(params, seen)
    alarms = warnings(seen)
    if as_json:
        print(json.dumps({"stages": [asdict(line) for line in found], "warnings": alarms}, indent=1))
        return 1 if found else 0
    if not found:
        print("nothing to do")
        return 0
    print(f"{'stage':<15}{'jobs':>6}{'of them waiting':>17}{'time':>10}{'GPU h':>10}{'tokens':>17}{'disk':>10}  estimated from")
    for line in found:
        time = "?" if line.seconds is None else f"{line.seconds:.0f} s"
        hours = "-" if line.gpu_hours is None else f"{line.gpu_hours:,.0f}"
        tokens = f"{line.tokens:,}" if line.tokens else "-"
        size = f"{line.bytes / 1e6:.1f} MB" if line.bytes else "?"
        print(f"{line.stage:<15}{line.jobs:>6}{line.waiting:>17}{time:>10}{hours:>10}{tokens:>17}{size:>10}  {line.basis}")
    print("\n".join(alarms), end="\n" if alarms else "")
    return 1

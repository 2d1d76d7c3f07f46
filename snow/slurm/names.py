"""What a job is called in the queue and where its Slurm log lies, from the rules and wildcards it is made of."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

LOGS = Path("logs/slurm")


def title(targets: Iterable[str]) -> tuple[str, str]:
    """(rules, wildcards) of the jobs that run as one, each written `rule:name=value,...`; ("filter+measure", "shard=00000+3")."""
    rules, wildcards = set(), set()
    for target in targets:
        rule, _, values = target.partition(":")
        rules.add(rule)
        wildcards.add(re.sub(r"[^\w=,.+-]", ".", values.replace('"', "")))
    first, more = min(wildcards), len(wildcards) - 1
    return "+".join(sorted(rules)), (first or "all") + (f"+{more}" if more else "")


def log_pattern(targets: Iterable[str]) -> str:
    """The Slurm log of a submission, `%j` standing for Slurm's number of the job."""
    rules, wildcards = title(targets)
    return f"{LOGS}/{rules}/{wildcards}-%j.log"


def newest_log(targets: Iterable[str]) -> Path | None:
    """The Slurm log of the latest submission of these jobs, or None when there was none."""
    pattern = Path(log_pattern(targets))
    prefix = pattern.name.removesuffix("%j.log")
    found = [path for path in pattern.parent.glob("*.log") if path.name.startswith(prefix)]
    return max(found, key=lambda path: path.stat().st_mtime_ns, default=None)

"""The provenance section: which code, versions, params and keys the numbers above come from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from snow import __version__
from snow.report.content import Section, Table, columns
from snow.report.format import INAPPLICABLE, count
from snow.report.receipts import Receipts
from snow.report.run import Run


def section(run: Run) -> Section:
    """Everything here is read off the receipts; nothing depends on when or where the run took place."""
    receipts, params = run.receipts, run.params
    jobs = receipts.all()
    words = (
        f"Written by snow {__version__} from {count(len(jobs))} receipts, seed {params.get('seed', 'not recorded')}. A job's key is the "
        "SHA-256 of its params, the digest of its stage's code, the versions of the packages that decide its bytes, and the content "
        "hashes of its inputs: two runs with the same keys made the same artifacts. tables.json has keys and digests in full."
    )
    return Section("provenance", "Provenance", [words, _stages(receipts), _params(params), _keys(receipts)])


def _stages(receipts: Receipts) -> Table:
    by_stage: dict[str, list[Mapping[str, Any]]] = {}
    for receipt in receipts.all():
        by_stage.setdefault(receipt["stage"], []).append(receipt)
    rows = []
    for stage, found in by_stage.items():
        codes = sorted({receipt["spec"].get("code", "") for receipt in found})
        packages: dict[str, str] = {}
        for receipt in found:
            packages |= receipt["spec"].get("packages", {})
        versions = ", ".join(f"{name} {version}" for name, version in sorted(packages.items())) or INAPPLICABLE
        rows.append((stage, len(found), codes[0] if len(codes) == 1 else "several", versions))
    heads = [*columns("text", stage="stage"), *columns("count", jobs="jobs"), *columns("digest", code="code digest")]
    return Table("stages", "Stages", [*heads, *columns("text", packages="packages")], rows)


def _params(params: Mapping[str, Any]) -> Table:
    heads = [*columns("name", key="key"), *columns("code", value="value")]
    return Table("params", "Params of this run", heads, sorted(_leaves("", params)), folded=True)


def _leaves(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(f"{prefix}{key}.", value)
        else:
            yield f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _keys(receipts: Receipts) -> Table:
    heads = [*columns("text", stage="stage", instance="instance"), *columns("digest", key="key")]
    rows = [[receipt[column.key] for column in heads] for receipt in receipts.all()]
    return Table("keys", "Keys of all jobs", heads, rows, folded=True)

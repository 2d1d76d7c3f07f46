"""Stage `report`: a page over all receipts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snow.errors import SnowError

if TYPE_CHECKING:
    from snow.job import Job

MARK = ""


def _receipt(file: Path) -> dict[str, Any]:
    try:
        return json.loads(file.read_bytes())
    except ValueError:
        raise SnowError(f"{file} is not readable; run again") from None


def run(job: Job[Any]) -> dict[str, Any]:
    """The models and what they train on; every job with its key and facts; then logs and verdicts as they are."""
    receipts = sorted(file for folder in job.inputs["receipts"] for file in folder.rglob("*.json"))
    told = [_receipt(file) for file in receipts]
    page = [f"{MARK}{job.params.report.title} of {', '.join(job.params.models)} on {', '.join(job.params.token_sets)}"]
    page += [f"{one['stage']} {one['instance']} {one['key'][:12]} {one['facts']}" for one in told]
    page += [path.read_text() for name in ("logs", "verdicts") for path in job.inputs[name]]
    folder = job.output("report")
    folder.mkdir()
    (folder / "index.txt").write_text("\n".join(page))
    return {"mark": [MARK], "jobs": len(told)}

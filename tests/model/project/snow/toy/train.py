"""Stage `train`: weights that follow from every token and from the model it begins from."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snow.job import Job

MARK = ""


def run(job: Job[Any]) -> dict[str, Any]:
    """A folder with weights and a log; begins from the weights of `model` where one is given."""
    told = job.params.model
    state = f"{MARK}{told.seed}"
    for path in job.inputs.get("model", ()):
        state += (path / "weights.txt").read_text()
    tokens = "".join(
        f"{share}\n" + "".join(path.read_text() for path in job.inputs[f"tokens:{used}"]) for used, share in sorted(told.shares.items())
    )
    for _ in range(told.steps):
        state = hashlib.sha256((state + tokens).encode()).hexdigest()
    folder = job.output("model")
    folder.mkdir()
    (folder / "weights.txt").write_text(f"{state}\n")
    (folder / "log.txt").write_text(f"{told.steps} steps\n")
    return {"mark": [MARK], "steps": told.steps}

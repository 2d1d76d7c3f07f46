"""BigCodeBench: a task's unittest cases in one module with the solution, as the package bigcodebench 0.2.5 has it.

From its evaluate.py and eval/: samples are calibrated, that is, run behind the task's `code_prompt` and `pass`, so that imports the
prompt gave need not be repeated; 240 seconds for a sample; 30 GB of address space. The tests see the solution's names, so nothing
of it can be called from outside: what is done about that is in `snow.evaluate.forking`, `beside`, `audit` and `flags`.
"""

from __future__ import annotations

import json
from pathlib import Path

from snow.suites.bigcodebench import NOT_JUDGED as NOT_JUDGED

PARTS = ("base",)
SECONDS = 240.0
LIMITS = {"address_space": 30 << 30, "processes": 512, "file": 64 << 20}  # TensorFlow has threads for each processor of the machine
# What more than ten tasks import and takes more than 20 ms; all of them 1.3 s. TensorFlow takes 1.7 s and three tasks use it.
LIBRARIES = (
    *("numpy", "pandas", "matplotlib.pyplot", "scipy.stats", "scipy.signal", "scipy.optimize", "seaborn", "requests", "faker", "nltk"),
    *("bs4", "cv2", "sklearn.model_selection", "sklearn.linear_model", "sklearn.ensemble", "sklearn.cluster", "sklearn.decomposition"),
)


def programs(suite: Path) -> dict[str, tuple[str, str]]:
    """See `snow.suites.checkers`."""
    rows = (json.loads(line) for line in suite.read_text(encoding="utf-8").split("\n") if line.strip())
    return {row["task_id"]: (f"{row['code_prompt']}\n    pass\n", row["test"]) for row in rows}


def sanitize(solution: str, entry_point: str) -> str:
    """The solution as it is: bigcodebench sanitizes what a model writes where it completes, not where it judges."""
    return solution

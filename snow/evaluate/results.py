"""Verdicts in the form of the upstream tools' `*_eval_results.json`, which their own tools and viewers read.

EvalPlus 0.3.1 (evalplus/evaluate.py) has `base_status` and `plus_status` of each sample and lists the inputs that fail, which are
not recorded here: those lists are empty. BigCodeBench 0.2.5 (bigcodebench/evaluate.py) has `status` and `details`: by the name of a
test that did not pass, why; here that is its outcome.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from snow import digest


def write(path: Path, rows: Sequence[Mapping[str, Any]], samples: Sequence[tuple[str, str]], beside: bool) -> None:
    """`rows` are the verdicts on `samples`, (task_id, solution), in the same order; `beside` says that tests ran beside solutions, as
    BigCodeBench's do. No date: the same verdicts are the same bytes."""
    verdict = _of_tests if beside else _of_parts
    found: dict[str, list[dict[str, Any]]] = {}
    for row, (task_id, solution) in zip(rows, samples, strict=True):
        found.setdefault(task_id, []).append({"task_id": task_id, "solution": solution} | verdict(row))
    digest.replace(path, json.dumps({"eval": found}, ensure_ascii=False) + "\n")


def _of_tests(row: Mapping[str, Any]) -> dict[str, Any]:
    details = {name: outcome for name, outcome in row.get("tests", {}).items() if outcome != "pass"}
    return {"status": _status(row["status"]), "details": details or ({"ALL": row["reason"]} if row.get("reason") else {})}


def _of_parts(row: Mapping[str, Any]) -> dict[str, Any]:
    plus = _status(row["plus"]) if "plus" in row else None
    return {"base_status": _status(row["base"]), "plus_status": plus, "base_fail_tests": [], "plus_fail_tests": []}


def _status(status: str) -> str:
    """In their words: what is neither passed nor timed out has failed."""
    return status if status in ("pass", "timeout") else "fail"

"""The last lines of a run that succeeded: what was made, the report and its numbers that matter, and what belongs into git."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from snow.console.left import clock
from snow.console.run import Run

TABLES = Path("report/tables.json")
PAGE = Path("report/index.html")
SHOWN = 6  # names of artifacts; of more only their folders are named


def say(run: Run) -> None:
    """Print them, when dvc.lock is written."""
    for line in lines(run):
        print(f"snow: {line}", file=sys.stderr)


def lines(run: Run) -> list[str]:
    """They, of a run that has ended."""
    executed = sum(run.done.values())
    told = [f"done in {clock(time.time() - run.began)}: {executed} jobs executed, {len(run.done) - executed} from the cache"]
    told += [f"made: {_made(run.artifacts)}"]
    if "report all" in run.done and PAGE.is_file():
        told += [f"report: {PAGE}", *(f"  {number}" for number in numbers(json.loads(TABLES.read_text())["tables"]))]
    changed = _uncommitted()
    if changed:
        told.append(f"what was made is named in dvc.lock, which belongs into git: git add {changed} && git commit")
    return told


def _made(artifacts: Iterable[str]) -> str:
    """Names of artifacts, as `snakemake` takes them, or how many there are by folder."""
    names = list(dict.fromkeys(artifacts))
    if len(names) <= SHOWN:
        return ", ".join(names)
    folders = Counter(name.partition("-")[0] for name in names)
    return ", ".join(folder if count == 1 else f"{folder} ({count})" for folder, count in folders.items())


def numbers(tables: Iterable[Mapping[str, Any]]) -> list[str]:
    """Three numbers that matter, as the report has them: how well held-out text is predicted, what selection was worth, what passes."""
    by_name = {table["name"]: table for table in tables}
    told = []
    heads = {column["key"]: column["label"] for column in by_name["bits"]["columns"] if column["key"].startswith("bits:")}
    held_out = by_name["bits"]["rows"][0]
    shown = [f"{label} {held_out[key]:.3f}" for key, label in heads.items() if held_out[key] is not None]
    told.append(f"bits per byte of {held_out['text']}, lower is better: {', '.join(shown)}")
    compared = next((table for name, table in by_name.items() if name.startswith("compare:")), None)
    if compared is not None:
        changes = [f"{row['difference']:+.3f} on {row['text']}" for row in compared["rows"] if row["difference"] is not None]
        told.append(f"{compared['title']}, below 0 is better: {', '.join(changes[:2])}")
    for suite, rows in _by_suite(by_name["pass"]["rows"]).items():
        shown = [f"{row['model']} {row['value']:.1%}" for row in rows]
        told.append(f"pass@1 on {suite}: {', '.join(shown)}")
    return told


def _by_suite(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Rows of the table of pass@1 by suite, of a suite that has several kinds of tests by suite and kind."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault(f"{row['suite']}, {row['tests']} tests", []).append(row)
    return found


def _uncommitted() -> str:
    """Which of DVC's files differ from what is committed, in one line; nothing outside a git repository."""
    words = ["git", "status", "--porcelain", "--", "dvc.lock", "dvc.yaml"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return " ".join(dict.fromkeys(line[3:] for line in done.stdout.splitlines()))

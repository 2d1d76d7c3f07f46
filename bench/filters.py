"""The filters' signals beside dolma's code taggers, on the same files, in one run: `python bench/filters.py [--peer PYTHON] [--check]`.

dolma (AI2) carries RedPajama's and StarCoder's per-document taggers. It wants numpy below 2, so it runs in an interpreter of its own:

    python -m venv /tmp/peer && /tmp/peer/bin/pip install 'dolma[code]'

Without --peer only ours and the definitions written as loops over characters are measured. Rounds alternate and the best counts,
in CPU seconds of one process. Where both measure a signal, the values must agree. `--check` compares the ratios with
bench/floors.json and exits with status 1 below one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from snow.corpus import signals
from snow.params import load

ROOT = Path(__file__).parents[1]
ROUNDS = 3
Found = tuple[float, list[dict[str, Any]]]  # CPU seconds, and the signals of each document
Method = Callable[[], Found]
PEER = """
import json, sys, time
from dolma.core.data_types import Document, DocumentWithMetadata
from dolma.taggers.code.code_taggers import CodeRedPajamaTaggers, CodeStarCoderTaggers2
texts, basic, comments = json.load(open(sys.argv[1])), CodeRedPajamaTaggers(), CodeStarCoderTaggers2()
if sys.argv[2] == "basic":
    documents = [Document(id="", text=text, source="") for text in texts]
    taggers = [basic]
else:
    documents = [DocumentWithMetadata(id="", text=text, source="", metadata={"ext": "py"}) for text in texts]
    taggers = [basic, comments]
start = time.process_time()
found = [[tagger.predict(document) for tagger in taggers] for document in documents]
spent = time.process_time() - start
print(json.dumps({"seconds": spent, "signals": [{span.type: span.score for one in tagged for span in one.spans} for tagged in found]}))
"""
SAME = {"max_line_length_doc": "max_line_length", "avg_line_length_doc": "mean_line_length", "alnum_prop_doc": "alphanumeric"}


def installed(megabytes: float) -> list[str]:
    """Python files of this environment's packages, by path, up to that many megabytes; no empty ones, by which dolma divides."""
    texts: list[str] = []
    size = 0
    for path in sorted(Path(sysconfig.get_path("purelib")).rglob("*.py")):
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        texts += [text] if text else []
        size += len(text)
        if size > megabytes * 1e6:
            break
    return texts


def spelled_out(text: str) -> dict[str, Any]:
    """Lines and characters as bigcode-dataset's `add_stats` defines them, one character at a time."""
    lengths = [len(line) for line in text.splitlines()] or [0]
    return {
        "max_line_length": max(lengths),
        "mean_line_length": float(np.mean(lengths)),
        "alphanumeric": sum(map(str.isalnum, text)) / max(len(text), 1),
        "alphabetic": sum(map(str.isalpha, text)) / max(len(text), 1),
    }


def timed(work: Callable[[], list[dict[str, Any]]]) -> Found:
    start = time.process_time()
    found = work()
    return time.process_time() - start, found


def peer(python: Path, texts: Path, kind: str) -> Found:
    """CPU seconds and signals of dolma's taggers; its warnings about single files go nowhere."""
    done = subprocess.run([python, "-W", "ignore", "-c", PEER, texts, kind], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{python} cannot run dolma's code taggers: {done.stderr.strip().splitlines()[-1]}")
    answer = json.loads(done.stdout.splitlines()[-1])
    return answer["seconds"], [{SAME[name]: value for name, value in one.items() if name in SAME} for one in answer["signals"]]


def contests(texts: list[str], python: Path | None, stored: Path) -> dict[str, dict[str, Method]]:
    """Per contest the methods, ours first; each returns its seconds and what it found."""
    plain = load(ROOT / "params.yaml").signals.model_copy(update={"comments": False})
    commented = plain.model_copy(update={"comments": True})
    found: dict[str, dict[str, Method]] = {
        "lines and characters": {
            "snow, and encoded data": lambda: timed(lambda: [signals.measure(text, "C", "file.c", plain) for text in texts]),
            "loops over characters": lambda: timed(lambda: [spelled_out(text) for text in texts]),
        },
        "with parsing and comments": {
            "snow, and encoded data": lambda: timed(lambda: [signals.measure(text, "Python", "file.py", commented) for text in texts]),
        },
    }
    if python:
        found["lines and characters"]["dolma, RedPajama tagger"] = lambda: peer(python, stored, "basic")
        found["with parsing and comments"]["dolma, RedPajama and StarCoder taggers"] = lambda: peer(python, stored, "comments")
    return found


def check_agreement(mine: list[dict[str, Any]], others: list[dict[str, Any]], name: str) -> None:
    """SystemExit naming the first document on which a shared signal differs."""
    for number, (one, other) in enumerate(zip(mine, others, strict=True)):
        for signal, value in other.items():
            if abs(one[signal] - value) > 1e-9:
                raise SystemExit(f"document {number}: {signal} is {one[signal]} but {name} says {value}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=8)
    parser.add_argument("--peer", type=Path, help="an interpreter with dolma[code]; without it dolma is not measured")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    if options.peer is None:
        print("no --peer given: dolma is not measured", file=sys.stderr)
    texts = installed(options.megabytes)
    size = sum(len(text.encode()) for text in texts) / 1e6
    floors = json.loads((ROOT / "bench" / "floors.json").read_text())["filters"]
    failed = []
    print("| work | method | MB/s | documents/s | ours is faster by |\n|---|---|---:|---:|---:|")
    with tempfile.NamedTemporaryFile("w", suffix=".json") as stored:
        json.dump(texts, stored)
        stored.flush()
        for contest, methods in contests(texts, options.peer, Path(stored.name)).items():
            rounds = [{name: method() for name, method in methods.items()} for _ in range(ROUNDS)]
            best = {name: min(one[name][0] for one in rounds) for name in methods}
            ours, *others = methods
            for name in others:
                check_agreement(rounds[0][ours][1], rounds[0][name][1], name)
            for name, spent in best.items():
                print(f"| {contest} | {name} | {size / spent:.1f} | {len(texts) / spent:.0f} | {spent / best[ours]:.1f} |", flush=True)
                if name != ours and spent / best[ours] < floors[contest]:
                    failed.append(f"{contest}: {spent / best[ours]:.1f} times {name}, the floor is {floors[contest]}")
    print("\n".join(failed), file=sys.stderr)
    return 1 if failed and options.check else 0


if __name__ == "__main__":
    sys.exit(main())

"""Redaction on real files: what it takes beside measuring the filters' signals, and all that it replaces in files without secrets of
anybody: `python bench/redact.py FOLDER... [--files N] [--list KIND] [--check]`.

Source files below the folders (the standard library and this environment's packages without any) are drawn at random, the same each time.
CPU seconds of one process; rounds alternate and the best counts. What is found is counted by kind, with the share of files and how many
different texts; `--list KIND` prints each of that kind with its file and line. `--check` compares the ratio with bench/floors.json and
exits with status 1 below it.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import sysconfig
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from snow.corpus import languages, signals
from snow.corpus.collect import text_of
from snow.corpus.redact import KINDS, Redactor
from snow.corpus.units import read_file
from snow.params import load
from snow.schema import Redaction

ROOT = Path(__file__).parents[1]
ROUNDS = 3
Text = tuple[Path, str, str]  # with its language


def drawn(folders: list[Path], wanted: int) -> list[Text]:
    """That many source files of text, or all there are."""
    paths = sorted(path for folder in folders for path in folder.rglob("*") if languages.candidates(path.name) and not path.is_symlink())
    random.Random(0).shuffle(paths)
    texts: list[Text] = []
    for path in paths:
        raw = read_file(path)
        content = text_of(raw) if isinstance(raw, bytes) else raw
        if isinstance(content, str) and (language := languages.language_of(path.name, content)):
            texts.append((path, language, content))
        if len(texts) == wanted:
            break
    return texts


def timed(work: Callable[[Text], object], texts: list[Text]) -> float:
    start = time.process_time()
    for one in texts:
        work(one)
    return time.process_time() - start


def found(redactor: Redactor, texts: list[Text], listed: str | None) -> None:
    """What is replaced, as a table; of the kind `listed` each one."""
    counts, files, different = Counter[str](), Counter[str](), defaultdict[str, set[bytes]](set)
    for path, language, content in texts:
        data = content.encode()
        spans = redactor.spans(data, language)
        files.update({kind for _, kind in spans})
        for (start, end), kind in spans:
            counts[kind] += 1
            different[kind].add(data[start:end])
            if kind == listed:
                number = data.count(b"\n", 0, start) + 1
                print(f"{path}:{number}: {data[start:end].decode()!r} in {content.splitlines()[number - 1].strip()[:160]}")
    print("\n| kind | replaced | different | files |\n|---|---:|---:|---:|")
    for kind in KINDS:
        print(f"| {kind} | {counts[kind]} | {len(different[kind])} | {files[kind]} |")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--list", choices=KINDS)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    installed = [Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib")]
    texts = drawn(options.folders or installed, options.files)
    redactor = Redactor(Redaction(email="<EMAIL>", ip_address="<IP_ADDRESS>", key="<KEY>", password="<PASSWORD>"))
    found(redactor, texts, options.list)
    settings = load(ROOT / "params.yaml").signals
    sample = texts[:2000]
    ours, theirs = "redaction", "the filters' signals"
    works: dict[str, Callable[[Text], object]] = {
        ours: lambda one: redactor.redact(one[2], one[1]),
        theirs: lambda one: signals.measure(one[2], one[1], settings),
    }
    rounds = [{name: timed(work, sample) for name, work in works.items()} for _ in range(ROUNDS)]
    best = {name: min(one[name] for one in rounds) for name in works}
    size = sum(len(content.encode()) for _, _, content in sample) / 1e6
    print("\n| work | MB/s | documents/s | of the signals' time |\n|---|---:|---:|---:|")
    for name, spent in best.items():
        print(f"| {name} | {size / spent:.1f} | {len(sample) / spent:.0f} | {spent / best[theirs]:.2f} |")
    ratio, floor = best[theirs] / best[ours], json.loads((ROOT / "bench/floors.json").read_text())["redact"]["signals"]
    if ratio < floor:
        print(f"signals take {ratio:.2f} times as long as redaction, the floor is {floor}", file=sys.stderr)
    return 1 if options.check and ratio < floor else 0


if __name__ == "__main__":
    sys.exit(main())

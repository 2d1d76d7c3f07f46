"""What decontamination finds in code that was copied from no benchmark: `python bench/precision.py SUITE... --under FOLDER...`.

Every different Python file below the folders is looked at by the passes as they are in params.yaml and by the token pass. What the
token pass finds is printed, the file's lines beside the solution's, to be judged by eye; then how many files each finds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from dedup import RENAMED

from snow.corpus import benchmarks
from snow.corpus.side_by_side import columns
from snow.params import load

ROOT = Path(__file__).parents[1]
SMALLEST, LARGEST = 100, 3_000_000  # bytes: filters.min_bytes and max_bytes


def files(folders: list[Path]) -> Iterator[tuple[Path, str]]:
    """Each content once, by path."""
    seen: set[bytes] = set()
    for path in sorted(path for folder in folders for path in folder.rglob("*.py") if path.is_file()):
        content = path.read_bytes()
        if SMALLEST <= len(content) <= LARGEST and content not in seen:
            seen.add(content)
            yield path, content.decode(errors="replace")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", type=Path, nargs="+", help="suites/*.jsonl")
    parser.add_argument("--under", type=Path, nargs="+", required=True, help="folders of code")
    options = parser.parse_args()
    rules = load(ROOT / "params.yaml").decontamination
    known = benchmarks.read(options.suites, rules.model_copy(update={"tokens": RENAMED}))
    looked = size = exact = renamed = both = pairs = 0
    for path, text in files(options.under):
        matches = known.find(text)
        by_tokens = [match for match in matches if match.method == "tokens"]
        looked, size = looked + 1, size + len(text)
        exact += len(by_tokens) < len(matches)
        renamed, pairs = renamed + bool(by_tokens), pairs + len(by_tokens)
        both += 0 < len(by_tokens) < len(matches)
        for match, pair in zip(by_tokens, known.side_by_side(text, by_tokens), strict=True):
            print(f"{path}: {match.suite} {match.task_id}", *columns(pair), "", sep="\n")
    print(f"{looked} files, {size / 1e6:.0f} million characters: {exact} by the exact passes, {renamed} by tokens, {both} by both")
    print(f"{pairs} pairs of a file and a task by tokens")
    return 0


if __name__ == "__main__":
    sys.exit(main())

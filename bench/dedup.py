"""Deduplication and decontamination beside their peers, on the same files, in one run: `python bench/dedup.py [--check]`.

The token pass is measured against ours without it. Every method reads the same texts with the same tokens, shingles and number of
permutations; rounds alternate between the methods and the best round counts, in CPU seconds of one process. datatrove is measured
when it can be imported. `--check` compares the ratios with the floors in bench/floors.json and exits with status 1 below one of
them.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasketch
import numpy as np
import xxhash

sys.path.insert(0, str(Path(__file__).parents[1]))
from snow.corpus import linking, matching, minhash, renamed
from snow.params import load
from snow.schema import TokenRules
from snow.suites.tasks import read_suite

ROOT = Path(__file__).parents[1]
TOKEN = re.compile(r"[^A-Za-z_0-9]+")
NGRAM, PERMUTATIONS, THRESHOLD = 5, 256, 0.7
RENAMED = TokenRules(min_tokens=10, distinct=7, same_literals=20)  # docs/decontamination.md
ROUNDS = 3


@dataclass(frozen=True)
class Contest:
    """Methods that do the same work; the first is ours, the ratio is against the fastest of the others."""

    name: str
    megabytes: float
    documents: int
    methods: dict[str, Callable[[], object]]


def installed(megabytes: float) -> list[str]:
    """Python files of this environment's packages, each content once, by path, up to that many megabytes."""
    texts: dict[str, None] = {}
    size = 0
    for path in sorted(Path(sysconfig.get_path("purelib")).rglob("*.py")):
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if text not in texts:
            texts[text] = None
            size += len(text)
        if size > megabytes * 1e6:
            break
    return list(texts)


def shingles(text: str) -> set[bytes]:
    tokens = [token for token in TOKEN.split(text) if token]
    return {" ".join(tokens[i : i + NGRAM]).encode() for i in range(len(tokens) - NGRAM + 1)}


def ours(texts: list[str], scheme: minhash.Scheme) -> np.ndarray:
    encoded = [text.encode() for text in texts]
    return minhash.signatures(np.frombuffer(b"".join(encoded), np.uint8), np.cumsum([0, *map(len, encoded)]), scheme)[0]


def sketches(texts: list[str], **options: Any) -> list[datasketch.MinHash]:
    return datasketch.MinHash.bulk([list(shingles(text)) for text in texts], num_perm=PERMUTATIONS, **options)


class Tokens:
    """Our tokens behind the interface of datatrove's language tokenizers."""

    def word_tokenize(self, text: str) -> list[str]:
        return [token for token in TOKEN.split(text) if token]


def datatrove_signatures(texts: list[str]) -> Callable[[], object]:
    """datatrove's signature step at 25 buckets of 10 hashes, its text normalisation left on."""
    from datatrove.pipeline.dedup import minhash as trove

    trove.load_word_tokenizer = lambda language: Tokens()
    hashing = trove.HashConfig(hash_fc="sha1", precision=64)  # its default, xxhash, passes strings, which xxhash 4 refuses
    config = trove.MinhashConfig(n_grams=NGRAM, num_buckets=25, hashes_per_bucket=10, hash_config=hashing)
    step = trove.MinhashDedupSignature(tempfile.mkdtemp(), config)

    def sign() -> object:
        grams = (step.get_shingles(text) for text in texts)
        return [step.get_signature(gram) for gram in grams if gram.size]

    return sign


def cluster_ours(signatures: np.ndarray) -> np.ndarray:
    bands, width = minhash.bands(THRESHOLD, PERMUTATIONS)
    keys, rows = minhash.band_keys(signatures, bands, width), np.arange(len(signatures))
    ids = np.random.default_rng(0).integers(0, 2**32, (len(signatures), linking.ID_WORDS), dtype=np.uint32)
    return linking.components(ids, signatures, ([(keys[:, band], rows)] for band in range(bands)), THRESHOLD)[0]


def cluster_datasketch(made: list[datasketch.MinHash]) -> list[list[Any]]:
    index = datasketch.MinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS)
    with index.insertion_session() as session:
        for number, sketch in enumerate(made):
            session.insert(number, sketch)
    return [index.query(sketch) for sketch in made]


def substrings(documents: list[str], needles: list[str]) -> list[bool]:
    """BigCode's find_substrings in StarCoder2's form: one `in` per benchmark text."""
    squeezed = ("".join(document.lower().split()) for document in documents)
    return [any(needle in document for needle in needles) for document in squeezed]


def contests(megabytes: float, suites: list[Path]) -> list[Contest]:
    texts = installed(megabytes)
    size = sum(len(text.encode()) for text in texts) / 1e6
    scheme = minhash.scheme(0, NGRAM, PERMUTATIONS, False)
    signatures, made = ours(texts, scheme), sketches(texts, hashfunc=xxhash.xxh3_64_intdigest, scheme="affine64")
    signing: dict[str, Callable[[], object]] = {
        "snow": lambda: ours(texts, scheme),
        "datasketch bulk, xxh3": lambda: sketches(texts, hashfunc=xxhash.xxh3_64_intdigest, scheme="affine64"),
        "datasketch bulk, sha1": lambda: sketches(texts),
    }
    if importlib.util.find_spec("datatrove"):
        signing["datatrove"] = datatrove_signatures(texts)
    clustering = {"snow": lambda: cluster_ours(signatures), "datasketch LSH": lambda: cluster_datasketch(made)}
    found = [Contest("signatures", size, len(texts), signing), Contest("clusters", size, len(texts), clustering)]
    if suites:
        tasks = [task for path in suites for task in read_suite(path)]
        how = load(ROOT / "params.yaml").decontamination
        known = [matching.Text("suite", task.task_id, text) for task in tasks for text in (*task.texts, task.solution)]
        index = matching.build(known, how)
        needles = ["".join(text.text.lower().split()) for text in known]
        methods: dict[str, Callable[[], object]] = {
            "snow, all rules": lambda: [matching.find(index, text) for text in texts],
            "one `in` per text": lambda: substrings(texts, [needle for needle in needles if len(needle) >= how.substring_min_chars]),
        }
        found.append(Contest("decontamination", size, len(texts), methods))
        named = renamed.build([("suite", task) for task in tasks], RENAMED)
        if named is not None:
            both = {
                "snow, and tokens": lambda: [(matching.find(index, text), renamed.find(named, text)) for text in texts],
                "snow, all rules": methods["snow, all rules"],
            }
            found.append(Contest("token pass", size, len(texts), both))
    return found


def measure(contest: Contest) -> dict[str, float]:
    """Best CPU seconds of each method; a first round outside the count compiles and warms."""
    best = dict.fromkeys(contest.methods, float("inf"))
    for attempt in range(ROUNDS):
        for name, method in contest.methods.items():
            if attempt == 0 and name.startswith("snow"):
                method()
            start = time.process_time()
            method()
            best[name] = min(best[name], time.process_time() - start)
    return best


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=12)
    parser.add_argument("--suites", type=Path, nargs="*", default=[], help="suites/*.jsonl; without them decontamination is not measured")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    floors = json.loads((ROOT / "bench" / "floors.json").read_text())["dedup"]
    failed = []
    print("| work | method | MB/s | documents/s | ours is faster by |\n|---|---|---:|---:|---:|")
    for contest in contests(options.megabytes, options.suites):
        seconds = measure(contest)
        mine, *others = seconds.values()
        for name, spent in seconds.items():
            print(f"| {contest.name} | {name} | {contest.megabytes / spent:.1f} | {contest.documents / spent:.0f} | {spent / mine:.1f} |")
        if min(others) / mine < floors[contest.name]:
            failed.append(f"{contest.name}: {min(others) / mine:.1f} times the fastest peer, the floor is {floors[contest.name]}")
    print("\n".join(failed), file=sys.stderr)
    return 1 if failed and options.check else 0


if __name__ == "__main__":
    sys.exit(main())

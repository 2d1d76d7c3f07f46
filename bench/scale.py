"""The data stages on ten times as many documents: `python bench/scale.py [--documents 2000000] [--check]`.

Documents of some 150 bytes, 20 in a repository, so that it is their number that costs; 8 shards. What works on a shard is run on one of
them, the others on all. Each run is a process of its own, of which CPU seconds and peak memory are told, and what a million documents
cost. With `--check` the status is 1 where ten times the documents take more than 11 times the CPU seconds, or where memory grows by more
than a fifth and what a stage may hold: row groups, which a tenth does not fill; for `partition` what it keeps before it writes; for
`duplicates` what it sorts at a time.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from snow.corpus import signatures  # noqa: E402
from snow.tables import DOCUMENTS, document_id  # noqa: E402
from tests import stage_runs  # noqa: E402

SHARDS, PER_REPOSITORY = 8, 20
LANGUAGES = ("Python", "Java", "C", "SQL")
BANDS, PERMUTATIONS = 25, 256
WRITTEN = 10_000  # documents in a row group
INDEX = pa.schema({"id": pa.string(), "repo": pa.string(), "language": pa.string(), "tokens": pa.int64()})
SCORES = pa.schema({"id": pa.string(), "score": pa.float32()})
STAGES = (
    *("collect", "partition", "measure", "filter", "redact", "minhash", "duplicates", "unique", "suite", "decontaminate"),
    *("holdout", "tokenizer", "pack", "select"),
)
ONCE = ("suite", "tokenizer")  # for those after them, whatever the documents are
OF_ALL = ("partition", "duplicates", "holdout", "select")
SLOWER, LARGER = 11, 1.2
ROW_GROUPS_MB, HELD_MB = 64, {"partition": 512, "duplicates": 100}
Paths = Mapping[str, Path | list[Path]]


def build(folder: Path, documents: int) -> None:
    """The parts that `collect` leaves, and as if all went on: signatures, of which none are alike, an index and scores of each shard."""
    words = " ".join(path.read_text() for path in sorted((ROOT / "snow").rglob("*.py"))).split()
    choose, generator = random.Random(0), np.random.default_rng(0)
    bands = signatures.schema(BANDS)
    for shard in range(SHARDS):
        names = [folder / f"{name}/{shard:05d}.parquet" for name in ("raw", "signed", "index", "scores")]
        for name in names:
            name.parent.mkdir(parents=True, exist_ok=True)
        writers = [pq.ParquetWriter(name, schema) for name, schema in zip(names, (DOCUMENTS, bands, INDEX, SCORES), strict=True)]
        for start in range(0, documents // SHARDS, WRITTEN):
            count = min(WRITTEN, documents // SHARDS - start)
            texts = [f"{' '.join(choose.choices(words, k=15))} {shard} {number}\n" for number in range(start, start + count)]
            ids = [document_id(text) for text in texts]
            repos = [f"o/r{choose.randrange(documents // PER_REPOSITORY)}" for _ in texts]
            languages = [LANGUAGES[int(repo[3:]) % len(LANGUAGES)] for repo in repos]
            paths = [f"src/module{number % 97}/file{number}.x" for number in range(start, start + count)]
            sizes = [len(text.encode()) for text in texts]
            signed = [list(map(bytes, generator.integers(0, 256, (count, 4 * PERMUTATIONS), np.uint8)))]
            signed += [generator.integers(0, 1 << 63, count, np.uint64) for _ in range(BANDS)]
            tables = (
                [ids, repos, paths, languages, ["MIT"] * count, texts, sizes, [None] * count, [None] * count],
                [ids, [15] * count, [-1] * count, [-1] * count, [2] * count, sizes, generator.integers(0, 1 << 56, count), *signed],
                [ids, repos, languages, [size // 4 for size in sizes]],
                [ids, generator.random(count, np.float32)],
            )
            for writer, columns in zip(writers, tables, strict=True):
                arrays = [pa.array(values, field.type) for values, field in zip(columns, writer.schema, strict=True)]
                writer.write_table(pa.table(arrays, schema=writer.schema))
        for writer in writers:
            writer.close()


def work(folder: Path, stage: str) -> tuple[str, Paths, dict[str, Path], dict[str, Any]]:
    """Instance, inputs, outputs and changed params of a stage."""
    one = "00000"

    def every(name: str) -> list[Path]:
        return sorted((folder / name).glob("*.parquet"))

    def of(name: str) -> Path:
        return folder / name / f"{one}.parquet"

    fields = {name: name for name in ("content", "repo", "path", "license", "language")}
    source = {"name": "tables", "kind": "parquet", "paths": [str(of("raw"))], "fields": fields}
    return {
        "collect": (
            one,
            {},
            {"documents": of("collected"), "repositories": of("repositories")},
            {"shards": 1, "sources": [source]},
        ),
        "suite": ("humaneval", {}, {"suite": folder / "suites/humaneval.jsonl"}, {}),
        "decontaminate": (
            one,
            {"documents": of("unique"), "suites": folder / "suites/humaneval.jsonl"},
            {"documents": of("clean"), "matches": of("matches")},
            {},
        ),
        "tokenizer": (
            "bpe",
            {"documents": [of("partitioned")], "heldout": folder / "heldout.json"},
            {"tokenizer": folder / "tokenizer"},
            {"tokenizers.bpe": {"sample_bytes": 2_000_000}},
        ),
        "pack": (
            f"corpus/{one}",
            {"documents": of("clean"), "tokenizer": folder / "tokenizer", "left_out": folder / "heldout.json"},
            {"tokens": folder / f"tokens/{one}.bin", "index": folder / f"tokens/{one}.index.parquet"},
            {},
        ),
        "partition": ("all", {"documents": every("raw")}, {"documents": folder / "partitioned"}, {}),
        "measure": (one, {"documents": of("partitioned")}, {"signals": of("signals")}, {}),
        "filter": (
            one,
            {"documents": of("partitioned"), "signals": of("signals")},
            {"documents": of("filtered"), "decisions": of("decisions")},
            {},
        ),
        "redact": (
            one,
            {"documents": of("partitioned")},
            {"documents": of("redacted"), "redactions": of("redactions")},
            {"redaction": {"email": "<EMAIL>", "ip_address": "<IP_ADDRESS>", "key": "<KEY>", "password": "<PASSWORD>"}},
        ),
        "minhash": (one, {"documents": of("partitioned")}, {"signatures": of("signatures")}, {}),
        "duplicates": ("all", {"signatures": every("signed")}, {"duplicates": folder / "duplicates"}, {}),
        "unique": (one, {"documents": of("partitioned"), "duplicates": of("duplicates")}, {"documents": of("unique")}, {}),
        "holdout": ("all", {"documents": every("partitioned")}, {"heldout": folder / "heldout.json"}, {}),
        "select": (
            "best",
            {"scores": every("scores"), "index": every("index")},
            {"selection": folder / "selection.parquet"},
            {"selections.best": {"tokens": 1_000_000}},
        ),
    }[stage]


def run(folder: Path, stage: str) -> dict[str, float]:
    """One stage in this process."""
    instance, inputs, outputs, changes = work(folder, stage)
    stage_runs.run(stage, instance, folder, inputs, outputs, {"shards": SHARDS, **changes})
    used = resource.getrusage(resource.RUSAGE_SELF)
    status = Path("/proc/self/status").read_text()  # ru_maxrss is what the process that began this one had, if that was more
    peak = int(status.partition("VmHWM:")[2].split()[0])
    return {"cpu": used.ru_utime + used.ru_stime, "mb": peak / 1024}


def measured(folder: Path, stage: str) -> dict[str, float]:
    """One stage in a process of its own."""
    command = [sys.executable, __file__, "--run", str(folder), stage]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | {"TQDM_DISABLE": "1"})
    return json.loads(done.stdout.splitlines()[-1])


def main() -> int:
    """Print the table; 1 when a bound is not kept and `--check` was given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=2_000_000)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--run", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        print(json.dumps(run(Path(options.run[0]), options.run[1])))
        return 0
    broken = 0
    print("| stage | documents | CPU s, a tenth | CPU s | times | peak MB, a tenth | peak MB | CPU s per million |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name, "small"), Path(name, "large")]
        for folder, documents in zip(folders, (options.documents // 10, options.documents), strict=True):
            build(folder, documents)
        for stage in STAGES:  # each reads what those before it wrote
            small, large = (measured(folder, stage) for folder in folders)
            if stage in ONCE:
                continue
            documents = options.documents if stage in OF_ALL else options.documents // SHARDS
            times = large["cpu"] / small["cpu"]
            million = (large["cpu"] - small["cpu"]) / 0.9 / documents * 1e6
            cells = (f"{small['cpu']:.1f} | {large['cpu']:.1f} | {times:.1f}", f"{small['mb']:.0f} | {large['mb']:.0f}", f"{million:.0f}")
            print(f"| {stage} | {documents:,} | {' | '.join(cells)} |", flush=True)
            broken += times > SLOWER or large["mb"] > LARGER * small["mb"] + HELD_MB.get(stage, ROW_GROUPS_MB)
    return int(broken > 0 and options.check)


if __name__ == "__main__":
    sys.exit(main())

"""Routing documents to shards beside `pyarrow.dataset.write_dataset`, which partitions tables by a column, in one run; and ten times as
many documents: `python bench/partition.py [--documents 200000] [--check]`.

Every repository has rows in all of 8 parts, as in The Stack's files by language; 64 shards. Each run is a process of its own, of which
wall seconds, CPU seconds of all threads and peak memory are told. `write_dataset` is given the shard of each row, computed as ours; it
keeps no order of rows, so a hash of what it writes says nothing. `--check` compares with bench/floors.json.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from snow.corpus import partition, units  # noqa: E402
from snow.job import Job  # noqa: E402
from snow.tables import DOCUMENTS, TableWriter, document_id, read_batches  # noqa: E402

PARTS, SHARDS, THREADS = 8, 64, 2
PER_REPOSITORY = 20  # documents; The Stack v1 has about 15 a repository


class Params:
    shards = SHARDS


def build(folder: Path, documents: int) -> None:
    """So many documents of about a kilobyte, made of the words of this repository's own modules."""
    words = " ".join(path.read_text() for path in sorted((ROOT / "snow").rglob("*.py"))).split(" ")
    choose = random.Random(0)
    for part in range(PARTS):
        with TableWriter(folder / f"{part:05d}.parquet", DOCUMENTS) as writer:
            for number in range(documents // PARTS):
                start = choose.randrange(len(words) - 200)
                content = " ".join(words[start : start + choose.randrange(20, 200)])
                repo = f"owner/project{choose.randrange(documents // PER_REPOSITORY)}"
                row = {"id": document_id(content), "repo": repo, "path": f"src/module{number}.py", "language": "Python", "license": "MIT"}
                writer.write(row | {"content": content, "size": len(content.encode())})


def ours(parts: list[Path], folder: Path) -> None:
    """The stage itself."""
    partition.run(Job("all", Params(), {"documents": tuple(parts)}, {"documents": folder}, THREADS, folder / "work", "key"))


def arrow(parts: list[Path], folder: Path) -> None:
    """Arrow's writer, with its own threads and row groups as large as ours."""
    schema = DOCUMENTS.append(pa.field("shard", pa.int64()))

    def batches() -> Iterator[pa.RecordBatch]:
        for path in parts:
            for batch in read_batches(path, rows=8192):
                names = batch.column("repo").dictionary_encode()
                homes = np.array([units.home(name, SHARDS) for name in names.dictionary.to_pylist()])
                yield pa.record_batch([*batch.columns, pa.array(homes[names.indices.to_numpy()])], schema=schema)

    limits = {"min_rows_per_group": 8192, "max_rows_per_group": 16384, "max_open_files": 4 * SHARDS}
    options = ds.ParquetFileFormat().make_write_options(compression="zstd")
    by = ds.partitioning(pa.schema([("shard", pa.int64())]))
    pa.set_cpu_count(THREADS)
    ds.write_dataset(batches(), folder, schema=schema, format="parquet", partitioning=by, file_options=options, **limits)


def measured(which: str, parts: Path) -> dict[str, float]:
    """Of one run in a process of its own."""
    with tempfile.TemporaryDirectory(dir=parts.parent) as name:
        command = [sys.executable, __file__, "--run", which, str(parts), f"{name}/out"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def main() -> int:
    """Print the tables; 1 when a floor is not met and `--check` was given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=200_000)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--run", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        which, parts, out = options.run
        begun = time.perf_counter()
        {"ours": ours, "arrow": arrow}[which](sorted(Path(parts).iterdir()), Path(out))
        wall, used = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF)
        print(json.dumps({"wall": wall, "cpu": used.ru_utime + used.ru_stime, "mb": used.ru_maxrss / 1024}))
        return 0
    with tempfile.TemporaryDirectory() as name:
        sizes = {"small": options.documents // 10, "large": options.documents}
        for size, documents in sizes.items():
            build(Path(name, size), documents)
        found = {(which, size): measured(which, Path(name, size)) for size in sizes for which in ("ours", "arrow")}
    print("| what | documents | wall s | CPU s | peak MB |\n|---|---:|---:|---:|---:|")
    for (which, size), one in found.items():
        print(f"| {which} | {sizes[size]:,} | {one['wall']:.1f} | {one['cpu']:.1f} | {one['mb']:.0f} |")
    mine, theirs, small = found["ours", "large"], found["arrow", "large"], found["ours", "small"]
    against, wall, memory = (theirs[name] / mine[name] for name in ("cpu", "wall", "mb"))
    print(f"\nwrite_dataset against ours: CPU {against:.2f}, wall {wall:.2f}, memory {memory:.2f}")
    print(f"ten times the documents: {mine['cpu'] / small['cpu']:.1f} times the CPU, {mine['mb'] / small['mb']:.2f} times the memory")
    floor = json.loads((ROOT / "bench/floors.json").read_text())["partition"]["write_dataset"]
    return int(options.check and against < floor)


if __name__ == "__main__":
    sys.exit(main())

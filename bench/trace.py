"""`snow trace` on a corpus of many shards: what a question reads and how long it takes, beside a scan of the tables, in one run.

    .envs/dev/bin/python bench/trace.py [--shards 512] [--documents 400] [--check]

The tables of every stage are written with the recipe's writer and schemas, for documents cut out of the standard library, from a source
whose repositories each lie in one shard; every fifth document is the near-copy of one in the next shard. The peer asks each table by
`pyarrow.dataset`, which skips row groups by their statistics as well, for all columns but the text. Both run in processes of their own;
bytes are what those read, `rchar` in /proc/self/io, without what starting takes. `--check` compares with bench/floors.json.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import json
import multiprocessing
import os
import random
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
from tqdm import tqdm

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from snow import params as settings  # noqa: E402
from snow import stages  # noqa: E402
from snow.corpus import decontaminate, duplicates, filter, measure, units  # noqa: E402
from snow.quality.select import SELECTION  # noqa: E402
from snow.tables import DOCUMENTS, REPOSITORIES, TableWriter, document_id  # noqa: E402
from snow.tokens.pack import INDEX  # noqa: E402
from snow.trace import run as trace  # noqa: E402
from snow.trace.lookup import Recipe  # noqa: E402

Row = dict[str, Any]
PER_REPOSITORY, TOKENS, EVERY = 20, 1000, 5  # documents of a repository, tokens of a document, documents to a copy
SIGNALS = {"lines": 100, "max_line_length": 80, "mean_line_length": 40.0, "alphabetic": 0.5, "alphanumeric": 0.6, "encoded_run": 0}
SIGNALS |= {"encoded_fraction": 0.0, "generated": False, "xml": False, "parses": True}


def names(shards: int, wanted: int) -> list[list[str]]:
    """For every shard that many repositories whose names hash to it, sorted."""
    found: list[list[str]] = [[] for _ in range(shards)]
    for number in itertools.count():
        name = f"owner{number % 997}/repository{number}"
        mine = found[units.rank(name) % shards]
        if len(mine) < wanted:
            mine.append(name)
        elif min(map(len, found)) == wanted:
            return [sorted(of_shard) for of_shard in found]
    raise AssertionError


def write(path: str | Path, schema: pa.Schema, rows: Iterable[Row]) -> None:
    with TableWriter(Path(path), schema) as table:
        table.write_all({name: row[name] for name in schema.names} for row in rows)


def build(recipe: Recipe, documents: int) -> list[list[Row]]:
    """All tables and the receipts that are asked, under the present folder; the documents of every shard, without their text."""
    choose = random.Random(0)
    library = "".join(path.read_text(errors="replace") for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")))
    shards: list[list[Row]] = []
    for shard, repositories in zip(
        recipe.shards, tqdm(names(len(recipe.shards), documents // PER_REPOSITORY), "documents", disable=None), strict=True
    ):
        rows = []
        for repo, number in itertools.product(repositories, range(PER_REPOSITORY)):
            start, size = choose.randrange(len(library) - 20_000), choose.randrange(500, 12_000)
            path = f"source/part{number % 4}/module_{choose.randrange(10**6)}.py"
            rows.append({"repo": repo, "path": path, "language": "Python", "license": "MIT", "content": library[start : start + size]})
            rows[-1] |= {"id": document_id(rows[-1]["content"]), "size": size, "bytes": size, "score": 0.5, "tokens": TOKENS}
        write(recipe.documents(shard), DOCUMENTS, rows)
        shards.append([row for row in rows if row.pop("content")])
    for number in tqdm(range(len(shards)), "what follows", disable=None):
        follow(recipe, number, shards[number], shards[(number + 1) % len(shards)])
    chosen = [{**row, "shard": shard} for shard, rows in enumerate(shards) for row in sorted(rows[::10], key=lambda row: row["id"])]
    for name in recipe.params.selections:
        write(recipe.made("selection", "select", name), SELECTION, chosen)
        receipt(recipe, "select", name, {"languages": {"Python": {"chosen": {"threshold": 0.5}}}, "excluded_languages": []})
    for name, model in recipe.params.models.items():
        tokens = TOKENS * sum(len(rows) - sum(place % EVERY == 1 for place in range(len(rows))) for rows in shards)
        sets = {of: {"passes": 1.0, "unique_tokens": tokens} for of in model.shares}
        receipt(recipe, "pretrain", name, {"sets": sets, "steps": tokens // (model.batch_size * model.sequence_length)})
    Path("corpus/heldout.json").write_text(json.dumps({"repositories": [shards[0][0]["repo"]]}))
    return shards


def follow(recipe: Recipe, number: int, rows: list[Row], after: list[Row]) -> None:
    """What the stages behind `collect` write of a shard."""
    shard = recipe.shards[number]
    stated = {"source": "repositories", "found_in": "LICENSE", "files": PER_REPOSITORY, "documents": PER_REPOSITORY}
    write(recipe.made("repositories", "collect", shard), REPOSITORIES, [{**row, **stated} for row in rows[::PER_REPOSITORY]])
    write(
        recipe.made("signals", "measure", shard),
        measure.SIGNALS,
        [{**dict.fromkeys(measure.SIGNALS.names), **row, **SIGNALS} for row in rows],
    )
    kept = {"kept": True, "reason": None, "rules": []}
    write(recipe.made("decisions", "filter", shard), filter.DECISIONS, [{**row, **kept} for row in rows])
    write(recipe.made("documents", "filter", shard), DOCUMENTS, [{**row, "content": ""} for row in rows])
    clusters = []
    for place, row in enumerate(rows):
        entry = {"id": row["id"], "shard": number, "row": place}
        if place % EVERY == 1:
            clusters.append({**entry, "cluster": after[place + 1]["id"], "method": "near", "survivor": False})
        elif place % EVERY == 2:
            clusters.append({**entry, "cluster": row["id"], "method": None, "survivor": True})
    write(recipe.read("duplicates", "unique", shard), duplicates.CLUSTERS, clusters)
    write(recipe.made("matches", "decontaminate", shard), decontaminate.MATCHES, [])
    clean = [row for place, row in enumerate(rows) if place % EVERY != 1]
    for name, annotator in recipe.params.annotators.items():
        fields = [pa.field(name, pa.float32()) for name in ("score", *annotator.scoring.sections)]
        schema = pa.schema([*(DOCUMENTS.field(name) for name in ("id", "repo", "path", "language", "size")), *fields])
        write(recipe.made("scores", "score", name, shard), schema, [{**dict.fromkeys(schema.names, 0.5), **row} for row in clean])
    for job in recipe.graph.jobs:
        if job.stage == "pack" and str(recipe.made("documents", "decontaminate", shard)) in job.inputs["documents"]:
            write(job.outputs["index"], INDEX, [{**row, "offset": place * TOKENS} for place, row in enumerate(clean)])
            receipt(recipe, "pack", job.instance, {"tokens": len(clean) * TOKENS})


def receipt(recipe: Recipe, stage: str, instance: str, facts: Row) -> None:
    job = recipe.graph.job(stage, instance.split("/"))
    path = Path(job.receipt)
    path.parent.mkdir(parents=True, exist_ok=True)
    spec = {"params": settings.subset(recipe.params, job.params.values())}
    path.write_text(json.dumps({"stage": stage, "instance": instance, "key": "", "facts": facts, "spec": spec, "outputs": {}}))


def scan(recipe: Recipe, condition: ds.Expression) -> None:
    """The rows of those documents in every table that has their ids, each table's shards asked as one data set."""
    whole, filtered = recipe.documents(recipe.shards[0]).parent, recipe.made("documents", "filter", recipe.shards[0]).parent
    ids = ds.dataset(whole).to_table(filter=condition, columns=["id"])["id"]
    for folder in sorted({path.parent for path in Path().rglob("*.parquet")} - {filtered}):
        table = ds.dataset(folder)
        if "id" in table.schema.names:
            table.to_table(filter=ds.field("id").isin(ids), columns=[name for name in table.schema.names if name != "content"])


def cost(work: Callable[[], object]) -> tuple[float, int]:
    """Seconds and bytes read in a process of its own."""

    def child(send: Any) -> None:
        before, start = bytes_read(), time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            work()
        send.send((time.perf_counter() - start, bytes_read() - before))

    receive, send = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=child, args=[send])
    process.start()
    send.close()
    found = receive.recv()
    process.join()
    return found


def bytes_read() -> int:
    return int(Path("/proc/self/io").read_text().split()[1])


def main() -> int:
    """Print the table; 1 when a floor is not met and `--check` was given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=int, default=512)
    parser.add_argument("--documents", type=int, default=400, help="of a shard")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    sources = [{"name": "repositories", "kind": "folder", "paths": ["repositories"]}]
    values = settings.read(ROOT / "params.yaml") | {"shards": options.shards, "sources": sources}
    params = settings.check(values, "params.yaml")
    floors, failed = json.loads((ROOT / "bench/floors.json").read_text())["trace"], []
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        recipe = Recipe(params, stages.graph(params))
        rows = build(recipe, options.documents)
        total = sum(path.stat().st_size for path in Path().rglob("*.parquet"))
        one, copy = rows[options.shards // 2][0], rows[options.shards // 2][1]
        questions = {
            "REPOSITORY/PATH": (f"{one['repo']}/{one['path']}", (ds.field("repo") == one["repo"]) & (ds.field("path") == one["path"])),
            "a repository": (one["repo"], ds.field("repo") == one["repo"]),
            "REPOSITORY/PATH of a copy": (f"{copy['repo']}/{copy['path']}", ds.field("id") == copy["id"]),
            "an id": (one["id"], ds.field("id") == one["id"]),
            "a file name": (one["path"].rpartition("/")[2], ds.field("path") == one["path"]),
        }
        print(f"{options.shards} shards, {sum(map(len, rows)):,} documents, {total / 1e6:,.0f} MB of tables")
        print("| question | MB read | of the tables | s | the scan: MB | s | ratio of bytes | of seconds |")
        print("|---|---:|---:|---:|---:|---:|---:|---:|")
        for name, (text, condition) in questions.items():
            seconds, size = cost(lambda text=text: trace.run(params, text, as_json=False))
            scanned, read = cost(lambda condition=condition: scan(recipe, condition))
            columns = f"{size / 1e6:.2f} | {size / total:.3%} | {seconds:.2f} | {read / 1e6:.0f} | {scanned:.2f}"
            print(f"| {name} | {columns} | {size / read:.3f} | {seconds / scanned:.2f} |")
            if size / read > floors[name]:
                failed.append(f"{name} reads {size / read:.3f} of the bytes of the scan, the limit is {floors[name]}")
    print("\n".join(failed), file=sys.stderr)
    return 1 if failed and options.check else 0


if __name__ == "__main__":
    sys.exit(main())

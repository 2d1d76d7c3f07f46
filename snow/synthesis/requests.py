"""Stage `requests`: what is asked of the generator, OSS-Instruct's idea [P 2.4]: one file inspired by lines of a selected document each.

Request n is a function of the selection, the corpus, seed and n, whatever their number. They lie in as many tables as `generate` has
shards, each with the numbers from i/shards to (i+1)/shards of them: more requests in as many more shards leave the first tables as they
were. The corpus is read once. Memory: a shard's requests, and a row group.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from tqdm import tqdm

from snow import prompts
from snow.errors import SnowError
from snow.synthesis import asking, seeds
from snow.tables import TableWriter, read_batches

if TYPE_CHECKING:
    from snow.arms import Generator
    from snow.job import Job

REQUESTS = pa.schema(
    [
        pa.field("request", pa.int64(), nullable=False),  # 0, 1, 2, ... over all tables; rows are sorted by it
        pa.field("key", pa.string(), nullable=False),  # SHA-256 of model, revision, messages and sampling
        pa.field("language", pa.string(), nullable=False),  # asked for
        pa.field("document", pa.string(), nullable=False),  # id of the document the seed is from
        pa.field("seed", pa.string(), nullable=False),  # its lines
        pa.field("prompt", pa.string(), nullable=False),
        pa.field("draw", pa.int64(), nullable=False),  # seed of the sampling
    ]
)
SNIPPETS = pa.schema([REQUESTS.field(name) for name in ("request", "document", "seed")])
NOTHING = "there are no selected documents to take seeds from; raise the tokens of their selection"


class Params(Protocol):
    seed: int
    generator: Generator
    prompt: str
    requests: int
    shards: int
    seed_lines: int
    python_share: float


def run(job: Job[Params]) -> dict[str, Any]:
    """documents, selection -> requests, a folder with a table per shard of `generate`."""
    params, documents = job.params, job.inputs["documents"]
    model, _, _ = asking.identify(params.generator)
    selected = _selected(job.input("selection"), len(documents))
    rows = draw(selected, params)
    of = selected["shard"].to_numpy()[rows]
    drawn = [
        _drawn(job, shard, path, selected["id"].take(rows[of == shard]).to_pylist(), np.flatnonzero(of == shard))
        for shard, path in enumerate(tqdm(documents, desc="requests", unit="shard", mininterval=10))
    ]
    asked = selected["language"].take(rows)
    for shard in range(params.shards):
        first, end = (bound * params.requests // params.shards for bound in (shard, shard + 1))
        with TableWriter(job.output("requests") / f"{shard:05}.parquet", REQUESTS) as table:
            for row in _between(drawn, first, end):
                number = row["request"]
                row["language"] = asked[number].as_py()
                row["prompt"] = seeds.render(params.prompt, row["language"], row["seed"])
                row["draw"] = seeds.draw(2**31, "sampling", params.seed, number)
                row["key"] = asking.question(model, row["prompt"], row["draw"], params.generator).key
                table.write(row)
    return {
        "requests": params.requests,
        "languages": dict(sorted(Counter(asked.to_pylist()).items())),
        "seed_documents": len(np.unique(rows)),
    }


def draw(selected: pa.Table, params: Params) -> np.ndarray:
    """The row of the selection that each request is inspired by."""
    names = selected["language"].to_numpy()
    rows = {language: np.flatnonzero(names == language) for language in sorted(set(names))}
    tokens = selected["tokens"].to_numpy()
    shares = seeds.language_shares({language: int(tokens[mine].sum()) for language, mine in rows.items()}, params.python_share)
    if not shares:
        raise SnowError(NOTHING)
    chosen = (
        rows[language][seeds.position(turn, len(rows[language]), params.seed, language)] for language, turn in seeds.languages(shares)
    )
    return np.fromiter(chosen, np.int64, params.requests)


def _selected(path: Path, shards: int) -> pa.Table:
    """The selection, in its order. SnowError when it is empty, or of a corpus with other shards."""
    batches = list(read_batches(path, ["id", "shard", "language", "tokens"]))
    if not batches:
        raise SnowError(NOTHING)
    table = pa.Table.from_batches(batches).combine_chunks()
    if (last := pc.max(table["shard"]).as_py()) >= shards:
        raise SnowError(f"the selection names shard {last}, but only {shards} shards were given; run `snow select` again")
    return table


def _drawn(job: Job[Params], shard: int, path: Path, documents: Sequence[str], numbers: np.ndarray) -> Path:
    """A table of the requests whose documents lie in a shard of the corpus, in order of number; it is there already where an
    interrupted run has made it."""
    params, place = job.params, job.work / f"{shard:05}.arrow"
    if place.exists():
        return place
    room = prompts.seed_bytes(params.prompt, params.generator.context_tokens, params.generator.max_tokens)
    wanted: dict[str, list[int]] = defaultdict(list)
    for number, document in zip(numbers.tolist(), documents, strict=True):
        wanted[document].append(number)
    rows = [
        {"request": number, "document": document, "seed": seeds.snippet(content, params.seed_lines, room, params.seed, number)}
        for document, content in _contents(path, set(wanted))
        for number in wanted[document]
    ]
    staged = place.with_suffix(".new")
    with pa.OSFile(str(staged), "wb") as sink, pa.ipc.new_file(sink, SNIPPETS) as file:
        file.write_table(pa.Table.from_pylist(rows, SNIPPETS).sort_by("request"))
    os.replace(staged, place)
    return place


def _contents(path: Path, wanted: set[str]) -> Iterator[tuple[str, str]]:
    """(id, content) of the wanted documents; only row groups that hold one are decoded. SnowError when one is not there."""
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups if wanted else 0):
            ids = file.read_row_group(group, columns=["id"])["id"].to_pylist()
            if wanted.isdisjoint(ids):
                continue
            table = file.read_row_group(group, columns=["content"])
            for row, document in enumerate(ids):
                if document in wanted:
                    wanted.remove(document)
                    yield document, table["content"][row].as_py()
    if wanted:
        raise SnowError(f"{path} has no document {min(wanted)}, which the selection names; run `snow select` again")


def _between(drawn: Sequence[Path], first: int, end: int) -> Iterator[dict[str, Any]]:
    """The requests with numbers from `first` on, before `end`, in order, of tables that are each in order."""
    parts = []
    for path in drawn:
        with pa.memory_map(str(path)) as file:
            table = pa.ipc.open_file(file).read_all()
            bounds = np.searchsorted(table["request"].to_numpy(), [first, end])
            parts.append(table.slice(bounds[0], bounds[1] - bounds[0]))
    for batch in pa.concat_tables(parts).sort_by("request").to_batches(max_chunksize=1024):
        yield from batch.to_pylist()

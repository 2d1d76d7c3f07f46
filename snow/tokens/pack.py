"""`pack`: the documents of one shard as one token file, grouped by language, then repository, files in random order [P 2.2].

Documents are encoded in the order they are stored, into a spool beside the output, and copied from there into the order of
the stream: memory holds one batch of texts and one row of facts per document, whatever the shard's size.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
from tqdm import tqdm

from snow.corpus.heldout import Heldout, read_heldout
from snow.tables import TableWriter, read_tuples
from snow.tokens import segments, special, vocabulary
from snow.tokens.seeded import draw

if TYPE_CHECKING:
    from snow.arms import Grouping
    from snow.job import Job

INDEX = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("repo", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),  # of the first token in the .bin, in tokens
        pa.field("tokens", pa.int64(), nullable=False),  # context and end included
        pa.field("bytes", pa.int64(), nullable=False),  # of the content in UTF-8, context and end not included
    ]
)


@dataclass(frozen=True)
class Row:
    """One packed document: what its index row says, and where the spool has it (in tokens)."""

    id: str
    repo: str
    path: str
    language: str
    spooled: int
    tokens: int
    bytes: int


def in_stream_order(rows: Iterable[Row], group_by: str, seed: int) -> list[Row]:
    """Languages by name (`language_repo`) or mixed (`repo`); within them repositories and within those files at random.

    Random means by a seeded hash of names, so the order depends neither on the order of storage nor on other documents.
    """

    def key(row: Row) -> tuple[str, int, str, int, str]:
        language = row.language if group_by == "language_repo" else ""
        return (language, draw(seed, "repository", row.repo), row.repo, draw(seed, "file", row.id, row.path), row.path)

    return sorted(rows, key=key)


@dataclass(frozen=True)
class Chosen:
    """Which documents a token set has: those that are not `left_out`, or those held out `only`; of the first, those of a selection."""

    left_out: Heldout | None = None
    only: Heldout | None = None
    selection: frozenset[str] | None = None

    def reason(self, repo: str, path: str, identifier: str) -> str | None:
        """Why a document is left out, None when it is not."""
        if self.only is not None:
            return None if self.only.holds(repo, path) else "not held out"
        if self.left_out is not None and self.left_out.holds(repo, path):
            return "held out"
        return "not selected" if self.selection is not None and identifier not in self.selection else None


class Params(Protocol):
    seed: int
    grouping: Grouping


def run(job: Job[Params]) -> dict[str, Any]:
    """documents, tokenizer or model, [selection], [left_out], [only] -> tokens=.bin, index=.index.parquet of one shard of a token set.

    `left_out` and `only` say what is held out: what every set but the held-out ones leaves out, and what those have alone.
    For another's `model` documents are written as that one may know them.
    """
    os.environ["RAYON_NUM_THREADS"], os.environ["TOKENIZERS_PARALLELISM"] = str(job.threads), "true"
    others = bool(job.inputs.get("model"))
    tokenizer = vocabulary.load(job.input("model" if others else "tokenizer"))
    vocab_size = vocabulary.size(tokenizer)
    dtype = vocabulary.token_dtype(vocab_size)
    grouping, given = job.params.grouping, job.inputs
    set_of = Chosen(
        read_heldout(job.input("left_out")) if given.get("left_out") else None,
        read_heldout(job.input("only")) if given.get("only") else None,
        _selected(job.input("selection"), job.instance) if given.get("selection") else None,
    )
    fim_rate = 0.0 if set_of.only is not None else grouping.fim_rate  # held-out text is measured as it was written
    if others:
        context = grouping.repo_context and all(tokenizer.token_to_id(token) is not None for token in special.CONTEXT)
        end, start = vocabulary.end_id(tokenizer, job.input("model")), tuple(vocabulary.start_ids(tokenizer))
    else:
        context, end, start = grouping.repo_context, vocabulary.token_id(tokenizer, special.END), ()
    layout = segments.Layout(context, fim_rate, grouping.fim_spm_rate, job.params.seed, end, start)
    dropped: Counter[str] = Counter()
    waiting: deque[tuple[str, str, str, str, int]] = deque()  # documents handed to the encoder, until their tokens come back
    write = segments.writer(tokenizer, layout)

    def chosen() -> Iterator[list[segments.Segment]]:
        names = ["id", "repo", "path", "language", "content"]
        for identifier, repo, path, language, content in read_tuples(job.input("documents"), names, rows=256):
            reason = set_of.reason(repo, path, identifier)
            if reason is not None:
                dropped[reason] += 1
                continue
            waiting.append((identifier, repo, path, language, len(content.encode())))
            yield write(identifier, repo, path, content)

    spool = job.output("tokens").with_suffix(".spool")
    rows, position = [], 0
    with spool.open("wb") as stream:
        for tokens in tqdm(segments.encode(chosen(), tokenizer, dtype), desc=f"pack {job.instance}", unit="document", mininterval=10):
            stream.write(tokens.tobytes())
            identifier, repo, path, language, size = waiting.popleft()
            rows.append(Row(identifier, repo, path, language, position, len(tokens), size))
            position += len(tokens)
    ordered = in_stream_order(rows, grouping.group_by, job.params.seed)
    _copy(spool, dtype, ordered, job.output("tokens"))
    spool.unlink()
    schema = INDEX.with_metadata({"dtype": dtype.name, "vocab_size": str(vocab_size)})
    with TableWriter(job.output("index"), schema) as index:
        offset = 0
        for row in ordered:
            index.write({name: value for name, value in asdict(row).items() if name != "spooled"} | {"offset": offset})
            offset += row.tokens
    return _facts(ordered, dropped)


def _selected(path: Path, instance: str) -> frozenset[str]:
    """The selected ids of the instance's shard."""
    shard = int(instance.rpartition("/")[2])
    return frozenset(identifier for identifier, of in read_tuples(path, ["id", "shard"]) if of == shard)


def _copy(spool: Path, dtype: np.dtype, rows: list[Row], out: Path) -> None:
    with out.open("wb") as stream:
        if rows:  # an empty spool cannot be mapped
            tokens = np.memmap(spool, dtype, "r")
            for row in rows:
                stream.write(tokens[row.spooled : row.spooled + row.tokens].tobytes())


def _facts(rows: list[Row], dropped: Counter[str]) -> dict[str, Any]:
    languages: dict[str, dict[str, int]] = {}
    for row in rows:
        of = languages.setdefault(row.language, {"documents": 0, "tokens": 0, "bytes": 0})
        of["documents"] += 1
        of["tokens"] += row.tokens
        of["bytes"] += row.bytes
    return {
        "documents": len(rows),
        "tokens": sum(row.tokens for row in rows),
        "bytes": sum(row.bytes for row in rows),
        "dropped": dict(sorted(dropped.items())),
        "languages": dict(sorted(languages.items())),
    }

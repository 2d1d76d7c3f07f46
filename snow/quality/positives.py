"""What the annotator should recognise: sets of high-quality code from files or the hub, without what the benchmarks contain."""

from __future__ import annotations

import gzip
import heapq
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snow import hub, packaged
from snow.corpus import notebooks
from snow.errors import SnowError
from snow.tables import document_id
from snow.tokens.seeded import draw

if TYPE_CHECKING:
    from snow.arms import Positives

FENCE = re.compile(r"^```[^\n`]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
GZIP_MAGIC = b"\x1f\x8b"


def choose(texts: Iterable[str], limit: int, seed: int, contaminated: Callable[[str], bool]) -> tuple[dict[str, str], dict[str, int]]:
    """At most `limit` texts, {document id: text} in the order they were drawn, and what happened to the others.

    The draw is by a seeded hash of the text, so it does not follow the order of the set. Empty texts, repeated texts and texts
    for which `contaminated` is true are counted and left out. Memory is `limit` texts and one hash per text read.
    """
    counts = Counter(read=0, empty=0, duplicate=0, contaminated=0)
    seen: set[str] = set()

    def usable() -> Iterator[tuple[int, str, str]]:
        for text in texts:
            counts["read"] += 1
            name = document_id(text)
            if not text.strip():
                counts["empty"] += 1
            elif name in seen:
                counts["duplicate"] += 1
            elif contaminated(text):
                counts["contaminated"] += 1
            else:
                yield draw(seed, "positives", name), name, text
            seen.add(name)

    chosen = heapq.nsmallest(limit, usable())
    return {name: text for _, name, text in chosen}, {**counts, "chosen": len(chosen)}


def read(source: Positives, scripts: bool) -> Iterator[str]:
    """The code of every row of one set of an annotator's positives, in the set's order, streamed.

    A row with fenced blocks (instruction data) counts by the code inside them, with `scripts` a notebook by its cells. Lines that match
    the set's `drop_lines` are removed: what every text of a set begins with would otherwise be all that the head learns. SnowError
    names a set that cannot be read, and the row and key that do not hold text.
    """
    template = re.compile(source.drop_lines) if source.drop_lines else None
    rows = _hub_rows(source) if source.kind == "huggingface" else _file_rows(packaged.locate(source.path))
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict) or not isinstance(row.get(source.field), str):
            known = f"it has {', '.join(map(str, row))}" if isinstance(row, dict) else "it is no object"
            raise SnowError(
                f"positives {source.name}: row {number} of {source.path} has no text under {source.field!r} ({known}); "
                "correct the set's `field`"
            )
        text = _code(row[source.field], scripts)
        yield "".join(line for line in text.splitlines(keepends=True) if not template.search(line)) if template else text


def _code(text: str, scripts: bool) -> str:
    """A notebook's script where that is wanted, the contents of a text's fenced blocks, or the text itself when it has none."""
    script = notebooks.script(text) if scripts and text.lstrip().startswith("{") else None
    if script is not None:
        return script
    blocks = FENCE.findall(text)
    return "\n".join(blocks) if blocks else text


def _file_rows(path: Path) -> Iterator[Any]:
    """Rows of a JSON Lines file or of one JSON array, gzipped or not: told by content, because the names of such files lie.

    An array is parsed as a whole; lines are streamed.
    """
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == GZIP_MAGIC
        with gzip.open(path, "rt", encoding="utf-8") if zipped else path.open(encoding="utf-8") as stream:
            array = stream.read(4096).lstrip().startswith("[")
            stream.seek(0)
            yield from json.load(stream) if array else (json.loads(line) for line in stream if line.strip())
    except (OSError, EOFError, ValueError) as error:
        raise SnowError(f"{path} is not readable JSON or JSON Lines ({error}); correct the set of positives that names it") from error


def _hub_rows(source: Positives) -> Iterator[Any]:
    """Rows of a Hugging Face data set (or of a folder that `datasets` can open), streamed."""
    import datasets  # slow to import, and only this kind of set needs it

    name, commit = hub.source("dataset", source.path, source.revision)
    try:
        yield from datasets.load_dataset(name, split=source.split, revision=commit, streaming=True)
    except (OSError, ValueError) as error:  # what datasets and huggingface_hub raise when offline, missing, gated or without the split
        reason = (str(error).strip() or repr(error)).splitlines()[0]
        raise SnowError(
            f"positives {source.name}: the data set {source.path} cannot be read ({reason}); check its name, split and access"
        ) from error

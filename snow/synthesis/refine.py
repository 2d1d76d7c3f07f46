"""What of the generated code is worth training on: parsed, filtered, deduplicated, decontaminated, and Python at its share.

Reasons apply in the order of `REASONS` and the first one counts. Two passes over the generations: the first decides, the second
writes. Memory is about 200 bytes per answer and a row group per generations file; MinHash signatures, 1 KB per answer that got as
far as the comparison, lie in the job's work folder, mapped.
"""

from __future__ import annotations

import heapq
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import pyarrow as pa
from tqdm import tqdm

from snow.corpus import benchmarks, languages, linking, minhash, notebooks
from snow.corpus.signatures import document_signatures
from snow.synthesis import balance, extract, syntax
from snow.tables import DOCUMENTS, TableWriter, document_id, read_rows

if TYPE_CHECKING:
    from snow.arms import Refine
    from snow.job import Job
    from snow.schema import Decontamination

REASONS = (
    "refused",  # ended for another reason than stop or the token limit
    "truncated",  # by the token limit, where `require_stop` asks for whole answers
    "unanswered",  # ended inside its reasoning
    "empty",  # no code, or nothing but comments
    "too_short",
    "too_long",
    "repetitive",  # a generator that went round in circles
    "unparsable",  # by `syntax`; languages that it has no parser for are counted under `unchecked`
    "copies_seed",
    "duplicate",  # of an earlier answer, exactly or nearly
    "contaminated",  # contains a benchmark's statement or solution
    "language_share",  # surplus over `python_share`
)
NOT_CODE = ("refused", "unanswered")
DECISIONS = pa.schema(
    [
        pa.field("request", pa.int64(), nullable=False),
        pa.field("key", pa.string(), nullable=False),
        pa.field("language", pa.string(), nullable=False),  # of the code found
        pa.field("kept", pa.bool_(), nullable=False),
        pa.field("reason", pa.string()),  # null when kept
        pa.field("id", pa.string()),  # of the document, null when there is no code
        pa.field("size", pa.int64(), nullable=False),  # bytes of the code
    ]
)
BATCH = 512  # documents signed together
COLUMNS = ["request", "key", "language", "seed", "model", "finish_reason", "text"]


@dataclass(slots=True)
class Candidate:
    """One answer after the first pass; `reason` is filled as soon as one applies."""

    language: str  # of the code found
    id: str | None  # of the document; None when there is no code
    size: int  # bytes of the code
    fenced: bool
    reasoned: bool
    contaminated: bool
    reason: str | None


class Params(Protocol):
    seed: int
    refine: Refine
    decontamination: Decontamination
    ngram: int
    permutations: int
    lowercase: bool
    notebooks: Literal["cells", "json"]


def run(job: Job[Params]) -> dict[str, Any]:
    """generations, suites -> documents, decisions (one row per generation), both in order of request."""
    settings, paths = job.params.refine, job.inputs["generations"]
    scripts = job.params.notebooks == "cells"
    known = benchmarks.read(job.inputs.get("suites", ()), job.params.decontamination)
    scheme = minhash.scheme(job.params.seed, job.params.ngram, job.params.permutations, job.params.lowercase)
    store = job.work / "signatures"
    with store.open("wb") as signatures:
        candidates = list(inspect(_rows(paths), settings, scripts, known, scheme, lambda rows: signatures.write(rows.tobytes())))
    mark_duplicates(candidates, _mapped(store, len(scheme.multipliers)), settings.duplicate_similarity)
    for candidate in candidates:
        if candidate.reason is None and candidate.contaminated:
            candidate.reason = "contaminated"
    mark_surplus(candidates, settings.python_share, job.params.seed)
    with (
        TableWriter(job.output("documents"), DOCUMENTS) as documents,
        TableWriter(job.output("decisions"), DECISIONS) as decisions,
    ):
        for row, candidate in zip(_rows(paths), candidates, strict=True):
            decisions.write(_decision(row, candidate))
            if candidate.reason is None:
                documents.write(_document(row, candidate, scripts))
    return _facts(candidates, settings)


def inspect(
    generations: Iterable[dict[str, Any]],
    settings: Refine,
    scripts: bool,
    known: benchmarks.Benchmarks,
    scheme: minhash.Scheme,
    keep: Callable[[np.ndarray], object],
) -> Iterator[Candidate]:
    """Every generation as a Candidate with what can be said of it alone; `keep` gets the signatures of those without a reason."""
    codes: list[str] = []
    for row in tqdm(generations, desc="inspect", unit="answer", mininterval=5):
        code = _code(row, scripts)
        reason = reason_alone(row["finish_reason"], code, row["seed"], settings, scheme.ngram)
        contaminated = reason is None and bool(known.find(code.text))
        identity = document_id(code.text) if code.text else None
        yield Candidate(code.language, identity, len(code.text.encode()), code.fenced, code.reasoned, contaminated, reason)
        if reason is None:
            codes.append(code.text)
        if len(codes) == BATCH:
            keep(_sign(codes, scheme))
            codes = []
    keep(_sign(codes, scheme))


def reason_alone(finish_reason: str, code: extract.Code, seed: str, settings: Refine, ngram: int) -> str | None:
    """The first of `REASONS` that needs no other answer and no benchmark, or None."""
    if finish_reason not in ("stop", "length"):
        return "refused"
    if finish_reason == "length" and settings.require_stop:
        return "truncated"
    if code.unanswered:
        return "unanswered"
    if not code.text:
        return "empty"
    if not syntax.does_something(code.text, code.language):
        return "empty"
    if len(code.text) < settings.min_chars:
        return "too_short"
    if len(code.text) > settings.max_chars:
        return "too_long"
    if extract.repeated_lines(code.text) > settings.max_repeated_lines:
        return "repetitive"
    if not code.rendered and syntax.parses(code.text, code.language) is False:
        return "unparsable"
    if extract.overlap(code.text, seed, ngram) >= settings.seed_similarity:
        return "copies_seed"
    return None


def mark_duplicates(candidates: Sequence[Candidate], signatures: np.ndarray, similarity: float) -> None:
    """Give all but the first of every group of equal or similar documents the reason `duplicate`.

    `signatures` has one row per candidate without a reason, in order.
    """
    open_ones = [one for one in candidates if one.reason is None]
    if not open_ones:
        return
    ids = np.frombuffer(bytes.fromhex("".join(one.id or "" for one in open_ones)), np.uint32).reshape(len(open_ones), linking.ID_WORDS)
    # Without a shingle all words are ones; that the first four are by chance happens once in 2^128.
    signed = np.flatnonzero((signatures[:, :4] != np.uint32(0xFFFFFFFF)).any(axis=1)).astype(np.uint32)
    count, width = minhash.bands(similarity, signatures.shape[1])
    keys = (minhash.band_keys(signatures[signed, band * width : (band + 1) * width], 1, width)[:, 0] for band in range(count))
    roots, _ = linking.components(ids, signatures, ([(of_band, signed)] for of_band in keys), similarity)
    for position in np.flatnonzero(roots != np.arange(len(roots))):
        open_ones[position].reason = "duplicate"


def mark_surplus(candidates: Sequence[Candidate], python_share: float, seed: int) -> None:
    """Give what is too much for Python's share the reason `language_share`."""
    left = [one for one in candidates if one.reason is None]
    gone = balance.surplus([one.language for one in left], [one.size for one in left], [one.id or "" for one in left], python_share, seed)
    for position in gone:
        left[position].reason = "language_share"


def _rows(paths: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """The rows of all files in order of request, so that the number of shards does not matter; every file is sorted by it."""
    return heapq.merge(*(read_rows(path, COLUMNS) for path in paths), key=lambda row: row["request"])


def _code(row: dict[str, Any], scripts: bool) -> extract.Code:
    """The code of an answer; with `scripts` that of a notebook is its script, as in the corpus."""
    code = extract.code_of(row["text"], row["language"], row["finish_reason"] == "length")
    script = notebooks.script(code.text) if scripts and code.language == notebooks.LANGUAGE else None
    return code if script is None else replace(code, text=script, rendered=True)


def _sign(codes: Sequence[str], scheme: minhash.Scheme) -> np.ndarray:
    encoded = [code.encode() for code in codes]
    ends = np.cumsum([0, *(len(code) for code in encoded)])
    return document_signatures(np.frombuffer(b"".join(encoded), np.uint8), ends, scheme)[0]


def _mapped(path: Path, width: int) -> np.ndarray:
    """The signatures of a file as a matrix that stays on disk."""
    rows = path.stat().st_size // (4 * width)
    return np.asarray(np.memmap(path, np.uint32, "r", shape=(rows, width))) if rows else np.empty((0, width), np.uint32)


def _decision(row: dict[str, Any], one: Candidate) -> dict[str, Any]:
    code = {"language": one.language, "reason": one.reason, "id": one.id, "size": one.size}
    return {"request": row["request"], "key": row["key"], "kept": one.reason is None, **code}


def _document(row: dict[str, Any], one: Candidate, scripts: bool) -> dict[str, Any]:
    return {
        "id": one.id,
        "repo": f"synthetic/{re.sub(r'[^A-Za-z0-9._-]+', '-', row['model'])}",
        "path": f"{row['key']}.{languages.extension(one.language)}",
        "language": one.language,
        "license": "synthetic",
        "content": _code(row, scripts).text,
        "size": one.size,
    }


def _facts(candidates: Sequence[Candidate], settings: Refine) -> dict[str, Any]:
    kept = [one for one in candidates if one.reason is None]
    dropped = Counter(one.reason for one in candidates)
    size = sum(one.size for one in kept)
    names = sorted({one.language for one in candidates})
    unchecked = Counter(one.language for one in kept if one.language not in syntax.LANGUAGES)
    return {
        "generations": len(candidates),
        "documents": len(kept),
        "bytes": size,
        "dropped": {reason: dropped[reason] for reason in REASONS},
        "reasoned": sum(one.reasoned for one in candidates),  # began with reasoning, which was set aside
        "unfenced": sum(not one.fenced and one.reason not in NOT_CODE for one in candidates),  # whole answers taken as code
        "unchecked": dict(sorted(unchecked.items())),  # kept, but nothing here can parse them
        "languages": {language: _of_language([one for one in candidates if one.language == language]) for language in names},
        "python_share": {
            "wanted": settings.python_share,
            "achieved": round(sum(one.size for one in kept if one.language == "Python") / size, 4) if size else None,
        },
    }


def _of_language(candidates: Sequence[Candidate]) -> dict[str, Any]:
    kept = [one.size for one in candidates if one.reason is None]
    dropped = Counter(one.reason for one in candidates if one.reason)
    return {"documents": len(kept), "bytes": sum(kept), "dropped": {reason: dropped[reason] for reason in REASONS if dropped[reason]}}

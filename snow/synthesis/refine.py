"""What of the generated code is worth training on: parsed, filtered, deduplicated, decontaminated, and Python at its share.

Reasons apply in the order of `REASONS` and the first one counts. Two passes over the generations: the first keeps per answer a
few hundred bytes and a MinHash signature, the second writes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from tqdm import tqdm

from snow.corpus import benchmarks, languages, linking, matching, minhash
from snow.synthesis import balance, extract
from snow.tables import DOCUMENTS, TableWriter, document_id, read_rows

if TYPE_CHECKING:
    from snow.job import Job
    from snow.params import Refine

REASONS = (
    "refused",  # ended for another reason than stop or the token limit
    "truncated",  # by the token limit, where refine.require_stop asks for whole answers
    "empty",  # no code; for Python nothing but comments and strings
    "too_short",
    "too_long",
    "unparsable",  # Python only; other languages are not checked and counted under `unparsed`
    "copies_seed",
    "duplicate",  # of an earlier answer, exactly or nearly
    "contaminated",  # contains a benchmark's statement or solution
    "language_share",  # surplus over refine.python_share
)
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


@dataclass
class Candidate:
    """One answer after the first pass; `reason` is filled as soon as one applies."""

    request: int
    key: str
    language: str
    id: str | None
    size: int
    fenced: bool
    contaminated: bool
    reason: str | None


def run(job: Job) -> dict[str, Any]:
    """generations, suites -> documents, decisions (one row per generation, in order of request)."""
    settings, paths = job.params.refine, job.inputs["generations"]
    known = benchmarks.read(job.inputs.get("suites", ()), benchmarks.rules(job.params.decontamination))
    scheme = minhash.scheme(job.params.seed, job.params.dedup.ngram, job.params.dedup.permutations, job.params.dedup.lowercase)
    candidates, signatures = inspect(_rows(paths), settings, known.index, scheme)
    mark_duplicates(candidates, signatures, settings.duplicate_similarity)
    for candidate in candidates:
        if candidate.reason is None and candidate.contaminated:
            candidate.reason = "contaminated"
    mark_surplus(candidates, settings.python_share, job.params.seed)
    order = sorted(range(len(candidates)), key=lambda row: candidates[row].request)
    with TableWriter(job.output("decisions"), DECISIONS) as decisions:
        for row in order:
            one = candidates[row]
            decisions.write({name: getattr(one, name) for name in DECISIONS.names if name != "kept"} | {"kept": one.reason is None})
    with TableWriter(job.output("documents"), DOCUMENTS) as documents:
        documents.write_all(_documents(_rows(paths), candidates))
    return _facts(candidates, settings)


def inspect(
    generations: Iterator[dict[str, Any]], settings: Refine, index: matching.Index, scheme: minhash.Scheme
) -> tuple[list[Candidate], np.ndarray]:
    """Every generation as a Candidate with what can be said of it alone, and the signatures of all, row-aligned.

    The signature of a row with a reason, or shorter than one shingle, is all ones, as `minhash` makes it. Memory: the signatures,
    1 KB per generation with 256 permutations, and the candidates.
    """
    candidates: list[Candidate] = []
    blocks: list[np.ndarray] = []
    codes: list[str] = []
    for row in tqdm(generations, desc="inspect", unit="answer", mininterval=5, disable=None):
        code = extract.code_of(row["text"], row["language"], row["finish_reason"] == "length")
        reason = reason_alone(row["finish_reason"], code, row["seed"], settings, scheme.ngram)
        contaminated = reason is None and bool(matching.find(index, code.text))
        identity = document_id(code.text) if code.text else None
        size = len(code.text.encode())
        candidates.append(Candidate(row["request"], row["key"], code.language, identity, size, code.fenced, contaminated, reason))
        codes.append("" if reason else code.text)
        if len(codes) == BATCH:
            blocks.append(_sign(codes, scheme))
            codes = []
    blocks.append(_sign(codes, scheme))
    return candidates, np.concatenate(blocks)


def reason_alone(finish_reason: str, code: extract.Code, seed: str, settings: Refine, ngram: int) -> str | None:
    """The first of `REASONS` that needs no other answer and no benchmark, or None."""
    if finish_reason not in ("stop", "length"):
        return "refused"
    if finish_reason == "length" and settings.require_stop:
        return "truncated"
    if not code.text:
        return "empty"
    tree = extract.parse(code.text) if code.language == "Python" else None
    if tree and not extract.does_something(tree):
        return "empty"
    if len(code.text) < settings.min_chars:
        return "too_short"
    if len(code.text) > settings.max_chars:
        return "too_long"
    if code.language == "Python" and tree is None:
        return "unparsable"
    if extract.overlap(code.text, seed, ngram) >= settings.seed_similarity:
        return "copies_seed"
    return None


def mark_duplicates(candidates: Sequence[Candidate], signatures: np.ndarray, similarity: float) -> None:
    """Give all but the earliest request of every group of equal or similar documents the reason `duplicate`."""
    rows = [row for row in sorted(range(len(candidates)), key=lambda row: candidates[row].request) if candidates[row].reason is None]
    if not rows:
        return
    ids = np.frombuffer(bytes.fromhex("".join(candidates[row].id or "" for row in rows)), np.uint32).reshape(len(rows), -1)
    chosen = signatures[rows]
    count, width = minhash.bands(similarity, chosen.shape[1])
    keys = minhash.band_keys(chosen, count, width)
    signed = np.flatnonzero((chosen != np.uint32(0xFFFFFFFF)).any(axis=1))  # the others have no shingle to compare
    bands = ((np.ascontiguousarray(keys[signed, band]), signed) for band in range(count))
    roots, _ = linking.components(ids, chosen, bands, similarity)
    for position, root in enumerate(roots):
        if root != position:
            candidates[rows[position]].reason = "duplicate"


def mark_surplus(candidates: Sequence[Candidate], python_share: float, seed: int) -> None:
    """Give what is too much for Python's share the reason `language_share`."""
    left = [one for one in candidates if one.reason is None]
    surplus = balance.surplus([one.language for one in left], [one.size for one in left], [one.key for one in left], python_share, seed)
    for position in surplus:
        left[position].reason = "language_share"


def _rows(paths: Sequence[Path]) -> Iterator[dict[str, Any]]:
    for path in paths:
        yield from read_rows(path, COLUMNS)


def _sign(codes: Sequence[str], scheme: minhash.Scheme) -> np.ndarray:
    encoded = [code.encode() for code in codes]
    ends = np.cumsum([0, *(len(code) for code in encoded)])
    return minhash.signatures(np.frombuffer(b"".join(encoded), np.uint8), ends, scheme)[0]


def _documents(generations: Iterator[dict[str, Any]], candidates: Sequence[Candidate]) -> Iterator[dict[str, Any]]:
    for row, one in zip(generations, candidates, strict=True):
        if one.reason is None:
            code = extract.code_of(row["text"], row["language"], row["finish_reason"] == "length")
            yield {
                "id": one.id,
                "repo": f"synthetic/{re.sub(r'[^A-Za-z0-9._-]+', '-', row['model'])}",
                "path": f"{one.key}.{languages.extension(one.language)}",
                "language": one.language,
                "license": "synthetic",
                "content": code.text,
                "size": one.size,
            }


def _facts(candidates: Sequence[Candidate], settings: Refine) -> dict[str, Any]:
    kept = [one for one in candidates if one.reason is None]
    dropped = Counter(one.reason for one in candidates)
    size = sum(one.size for one in kept)
    by_language = {
        language: {"documents": len(sizes), "bytes": sum(sizes)}
        for language in sorted({one.language for one in kept})
        for sizes in [[one.size for one in kept if one.language == language]]
    }
    return {
        "generations": len(candidates),
        "documents": len(kept),
        "bytes": size,
        "dropped": {reason: dropped[reason] for reason in REASONS},
        "unfenced": sum(not one.fenced for one in candidates),  # whole answers taken as code
        "unparsed": sum(one.language != "Python" for one in kept),  # kept without a syntax check
        "languages": by_language,
        "python_share": {
            "wanted": settings.python_share,
            "achieved": round(by_language.get("Python", {"bytes": 0})["bytes"] / size, 4) if size else None,
        },
    }

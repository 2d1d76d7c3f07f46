"""`select`: the best documents of every language in the corpus' language mix, or as many of every language at random.

[P 2.3]: documents are ranked within their language and taken from the top until the token budget is met, with the mix of
languages of pretraining. In 12.5B tokens no single document shows; in a small corpus one file can be larger than a language's
whole share. A document that does not fit what its language has left is therefore passed over. The language with the most
tokens comes last and also takes what the others left, so the total is within `TOLERANCE` of the budget wherever the corpus
has documents small enough.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa

from snow.errors import SnowError
from snow.tables import TableWriter, read_rows
from snow.tokens.seeded import draw

if TYPE_CHECKING:
    from snow.arms import Selection
    from snow.job import Job

SELECTION = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("shard", pa.int32(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("repo", pa.string(), nullable=False),
        pa.field("score", pa.float32(), nullable=False),
        pa.field("tokens", pa.int64(), nullable=False),
    ]
)

TOLERANCE = 0.01  # of a target
KINDS = (np.int32, np.int64, np.float32, np.int64, np.uint64, np.uint64)  # of the columns of Candidates


@dataclass(frozen=True)
class Candidates:
    """The documents of one language as columns, 40 bytes each: shard and row in its index, score, tokens, and two seeded draws.

    `tie` orders documents of equal score, `lot` orders all of them for a random selection.
    """

    shard: np.ndarray
    row: np.ndarray
    score: np.ndarray
    tokens: np.ndarray
    tie: np.ndarray
    lot: np.ndarray

    @property
    def ranked(self) -> np.ndarray:
        """Positions from the best score to the worst."""
        return np.lexsort((self.tie, -self.score))

    @property
    def shuffled(self) -> np.ndarray:
        """Positions in random order."""
        return np.argsort(self.lot, kind="stable")


def shares(available: dict[str, int], budget: int) -> dict[str, int]:
    """`budget` tokens over languages in proportion to what they have available; all of it when the budget is not less."""
    total = sum(available.values())
    if budget >= total:
        return dict(available)
    return {language: budget * tokens // total for language, tokens in available.items()}


def fill(tokens: np.ndarray, target: int) -> np.ndarray:
    """Which documents of an order to take for `target` tokens in sum: positions, ascending.

    Each in turn is taken until the target is reached. One with which the sum would exceed the target by more than `TOLERANCE` is
    passed over, or is the end when no more than that is missing.
    """
    taken, left = [np.empty(0, dtype=np.int64)], np.arange(len(tokens))
    missing, allowance = target, int(TOLERANCE * target)
    while missing > allowance:
        left = left[tokens[left] <= missing + allowance]
        if not len(left):
            break
        sums = np.cumsum(tokens[left])
        fitting = int(np.searchsorted(sums, missing + allowance, side="right"))  # at least 1: the first fits
        count = min(fitting, int(np.searchsorted(sums, missing)) + 1)
        taken.append(left[:count])
        missing -= int(sums[count - 1])
        left = left[count:]
    return np.concatenate(taken)


def choose(orders: dict[str, np.ndarray], tokens: dict[str, np.ndarray], targets: dict[str, int], budget: int) -> dict[str, np.ndarray]:
    """Per language what `fill` takes of its order for its target; the language with the most tokens for what is left of the budget."""
    by_size = sorted(orders, key=lambda language: (int(tokens[language].sum()), language))
    chosen: dict[str, np.ndarray] = {}
    spent = 0
    for language in by_size:
        order = orders[language]
        target = max(0, budget - spent) if language == by_size[-1] else targets[language]
        chosen[language] = order[fill(tokens[language][order], target)]
        spent += int(tokens[language][chosen[language]].sum())
    return chosen


def candidates(scores: Sequence[Path], indexes: Sequence[Path], seed: int, excluded: Sequence[str]) -> dict[str, Candidates]:
    """The documents of the indexes by language, with their scores; memory is the columns and the scores of one shard.

    A document of an index without a score, a score that is no number, or unequal numbers of shards is a SnowError.
    """
    if len(scores) != len(indexes):
        raise SnowError(f"select got {len(scores)} score files for {len(indexes)} index files; give both for every shard, in order")
    parts: dict[str, list[tuple[np.ndarray, ...]]] = {}
    for shard, (scores_path, index_path) in enumerate(zip(scores, indexes, strict=True)):
        score_of = {row["id"]: row["score"] for row in read_rows(scores_path, ["id", "score"])}
        columns: dict[str, list[tuple[int, int, float, int, int, int]]] = {}
        for number, row in enumerate(read_rows(index_path, ["id", "language", "tokens"])):
            name = row["id"]
            if name not in score_of:
                raise SnowError(f"{index_path}: document {name} has no score in {scores_path}; run `snow score` for that shard again")
            if not math.isfinite(score_of[name]):
                raise SnowError(f"{scores_path}: the score of document {name} is {score_of[name]}; run `snow score` for that shard again")
            if row["language"] not in excluded:
                entry = (shard, number, score_of[name], row["tokens"], draw(seed, "rank", name), draw(seed, "control", name))
                columns.setdefault(row["language"], []).append(entry)
        for language, rows in columns.items():
            arrays = (np.array(column, dtype=kind) for column, kind in zip(zip(*rows, strict=True), KINDS, strict=True))
            parts.setdefault(language, []).append(tuple(arrays))
    return {language: Candidates(*map(np.concatenate, zip(*parts[language], strict=True))) for language in sorted(parts)}


def write(path: Path, indexes: Sequence[Path], known: dict[str, Candidates], chosen: dict[str, np.ndarray]) -> None:
    """Write the chosen documents by shard and id; what the columns leave out is read again from the indexes, shard by shard."""
    with TableWriter(path, SELECTION) as writer:
        for shard, index in enumerate(indexes):
            score_of: dict[int, float] = {}
            for language, positions in chosen.items():
                here = positions[known[language].shard[positions] == shard]
                score_of |= zip(known[language].row[here].tolist(), known[language].score[here].tolist(), strict=True)
            rows = enumerate(read_rows(index, ["id", "language", "repo", "tokens"])) if score_of else ()
            taken = [{**row, "shard": shard, "score": score_of[number]} for number, row in rows if number in score_of]
            writer.write_all(sorted(taken, key=lambda row: row["id"]))


def ranked_facts(known: Candidates, chosen: np.ndarray) -> dict[str, Any]:
    """How a ranking was cut: `threshold` is the lowest score chosen, `passed_over` were better but too large."""
    scores = known.score[chosen]
    lowest = scores.min(initial=np.inf)
    passed_over = int((known.score > lowest).sum() - (scores > lowest).sum())
    return {"threshold": _score(lowest) if len(scores) else None, "passed_over": passed_over}


def in_place_of(path: Path, known: dict[str, Candidates], indexes: Sequence[Path]) -> dict[str, np.ndarray]:
    """The positions of the documents of another selection, per language. A document that is no candidate is a SnowError."""
    wanted = {(row["shard"], row["id"]) for row in read_rows(path, ["shard", "id"])}
    rows: dict[int, set[int]] = {
        shard: {number for number, row in enumerate(read_rows(index, ["id"])) if (shard, row["id"]) in wanted}
        for shard, index in enumerate(indexes)
    }
    places = {
        language: np.flatnonzero([row in rows[shard] for shard, row in zip(each.shard.tolist(), each.row.tolist(), strict=True)])
        for language, each in known.items()
    }
    if sum(map(len, places.values())) < len(wanted):
        raise SnowError(f"{path} has documents that the indexes lack; run `snow select` for it again")
    return places


class Params(Protocol):
    seed: int
    selection: Selection
    exclude_languages: Sequence[str]


def run(job: Job[Params]) -> dict[str, Any]:
    """scores, index (both all shards, in order), [like] -> selection; `like` is the selection that a random one is drawn in place of."""
    settings, seed, indexes = job.params.selection, job.params.seed, job.inputs.get("index", ())
    known = candidates(job.inputs.get("scores", ()), indexes, seed, job.params.exclude_languages)
    if not known:
        raise SnowError("there is no document to select from: the indexes are empty or exclude_languages names every language")
    tokens = {language: each.tokens for language, each in known.items()}
    other = in_place_of(job.input("like"), known, indexes) if settings.tokens is None else None
    if other is not None:
        orders = {language: each.shuffled for language, each in known.items()}
        targets = {language: int(tokens[language][places].sum()) for language, places in other.items()}
        budget = sum(targets.values())
    else:
        orders, budget = {language: each.ranked for language, each in known.items()}, settings.tokens or 0
        targets = shares({language: int(each.sum()) for language, each in tokens.items()}, budget)
    chosen = choose(orders, tokens, targets, budget)
    write(job.output("selection"), indexes, known, chosen)
    languages = {
        language: {
            "available": _taken(each, np.arange(len(each.tokens))),
            "target_tokens": targets[language],
            "chosen": _taken(each, chosen[language]) | (ranked_facts(each, chosen[language]) if other is None else {}),
        }
        | ({"in_both": _taken(each, np.intersect1d(chosen[language], other[language]))} if other is not None else {})
        for language, each in known.items()
    }
    parts = ("available", "chosen", *(["in_both"] if other is not None else []))
    return {
        "budget_tokens": budget,
        "budget_exceeds_corpus": budget > sum(int(each.sum()) for each in tokens.values()),
        "excluded_languages": sorted(job.params.exclude_languages),
        **{
            part: {count: sum(language[part][count] for language in languages.values()) for count in ("documents", "tokens")}
            for part in parts
        },
        "languages": languages,
    }


def _taken(known: Candidates, positions: np.ndarray) -> dict[str, Any]:
    return {"documents": len(positions), "tokens": int(known.tokens[positions].sum()), "mean_score": _mean(known.score[positions])}


def _mean(scores: np.ndarray) -> float | None:
    return _score(scores.mean(dtype=np.float64)) if len(scores) else None


def _score(value: Any) -> float:
    return round(float(value), 5)

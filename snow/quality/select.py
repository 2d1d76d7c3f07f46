"""`select`: the best documents of every language in the corpus' language mix, or as many of every language at random.

[P 2.3]: documents are ranked within their language and taken from the top until the token budget is met, with the mix of
languages of pretraining. In 12.5B tokens no single document shows; in a small corpus one file can be larger than a language's
whole share. A document that does not fit what its language has left is therefore passed over. The language with the most
tokens comes last and also takes what the others left, so the total is within `TOLERANCE` of the budget wherever the corpus
has documents small enough.

Memory is a byte for each document, what 20 batches of `snow.quality.candidates` take, 36 bytes for each scored document of one shard, and
the chosen rows of one shard; scratch in the job's work folder is 68 bytes a document.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa

from snow.errors import SnowError
from snow.quality.candidates import BATCH, ENTRY, Candidates
from snow.tables import TableWriter, read_batches, read_rows, read_tuples
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


def shares(available: dict[str, int], budget: int) -> dict[str, int]:
    """`budget` tokens over languages in proportion to what they have available; all of it when the budget is not less."""
    total = sum(available.values())
    if budget >= total:
        return dict(available)
    return {language: budget * tokens // total for language, tokens in available.items()}


def fill(batches: Iterable[np.ndarray], target: int) -> Iterator[np.ndarray]:
    """Which documents of an order to take for `target` tokens in sum: of each batch of their tokens the positions, ascending.

    Each in turn is taken until the target is reached. One with which the sum would exceed the target by more than `TOLERANCE` is
    passed over, or is the end when no more than that is missing. No batch is asked for behind the end.
    """
    missing, allowance = target, int(TOLERANCE * target)
    largest = missing + allowance  # what is larger is passed over without being an end
    if missing <= 0:
        return
    for tokens in batches:
        taken, left, ended = [np.empty(0, dtype=np.int64)], np.flatnonzero(tokens <= largest), False
        while len(left) and not ended:
            sums = np.cumsum(tokens[left])
            count = min(int(np.searchsorted(sums, missing + allowance, side="right")), int(np.searchsorted(sums, missing)) + 1)
            taken.append(left[:count])
            missing -= int(sums[count - 1]) if count else 0
            ended = missing <= 0 or (count < len(left) and missing <= allowance)
            if count < len(left):  # the next does not fit
                largest = missing + allowance
            left = left[count:]
            left = left[tokens[left] <= largest]
        yield np.concatenate(taken)
        if ended:
            return


def choose(known: dict[str, Candidates], shuffled: bool, targets: dict[str, int], budget: int, scratch: Path) -> dict[str, np.ndarray]:
    """Per language what `fill` takes of its order for its target, as a mark for each; the language with the most tokens for what is
    left of the budget."""
    by_size = sorted(known, key=lambda language: (known[language].tokens, language))
    chosen: dict[str, np.ndarray] = {}
    spent = 0
    for language in by_size:
        each, marks = known[language], np.zeros(known[language].count, bool)
        target = max(0, budget - spent) if language == by_size[-1] else targets[language]
        first, second = itertools.tee(each.ordered(shuffled, scratch))
        for batch, taken in zip(second, fill((one["tokens"] for one in first), target), strict=False):
            marks[batch["position"][taken]] = True
            spent += int(batch["tokens"][taken].sum())
        chosen[language] = marks
    return {language: chosen[language] for language in known}


def candidates(scores: Sequence[Path], indexes: Sequence[Path], seed: int, excluded: Sequence[str], scratch: Path) -> dict[str, Candidates]:
    """The documents of the indexes by language, with their scores, in files of the folder `scratch`.

    A document of an index without a score, a score that is no number, or unequal numbers of shards is a SnowError.
    """
    if len(scores) != len(indexes):
        raise SnowError(f"select got {len(scores)} score files for {len(indexes)} index files; give both for every shard, in order")
    found: dict[str, Candidates] = {}
    for shard, (scores_path, index_path) in enumerate(zip(scores, indexes, strict=True)):
        names, values = _scores(scores_path)
        row = 0
        for batch in read_batches(index_path, ["id", "language", "tokens"], BATCH):
            ids = np.array(batch.column("id").to_pylist(), dtype="S32")
            places = np.minimum(np.searchsorted(names, ids), len(names) - 1)
            known = names[places] == ids if len(names) else np.zeros(len(ids), bool)
            entries = np.zeros(len(ids), ENTRY)
            entries["row"] = np.arange(row, row + len(ids))
            entries["tokens"] = batch.column("tokens")
            entries["score"][known] = values[places[known]]
            for place in np.flatnonzero(~known | ~np.isfinite(entries["score"]))[:1]:
                name = batch.column("id")[int(place)].as_py()
                if not known[place]:
                    raise SnowError(f"{index_path}: document {name} has no score in {scores_path}; run `snow score` for that shard again")
                raise SnowError(
                    f"{scores_path}: the score of document {name} is {entries['score'][place]}; run `snow score` for that shard again"
                )
            for draws, kind in (("tie", "rank"), ("lot", "control")):
                entries[draws] = [draw(seed, kind, name) for name in batch.column("id").to_pylist()]
            languages = batch.column("language").dictionary_encode()
            of = languages.indices.to_numpy(zero_copy_only=False)
            for number, language in enumerate(languages.dictionary.to_pylist()):
                if language not in excluded:
                    if language not in found:
                        found[language] = Candidates(scratch / f"{len(found)}.entries")
                    found[language].add(shard, entries[of == number])
            row += len(ids)
    return dict(sorted(found.items()))


def _scores(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The ids of a shard's documents, sorted, and their scores."""
    batches = list(read_batches(path, ["id", "score"], BATCH))
    names = np.concatenate([np.empty(0, "S32"), *(np.array(batch.column("id").to_pylist(), dtype="S32") for batch in batches)])
    values = np.concatenate([np.empty(0, np.float32), *(batch.column("score").to_numpy(zero_copy_only=False) for batch in batches)])
    order = np.argsort(names)
    return names[order], values[order]


def write(path: Path, indexes: Sequence[Path], known: dict[str, Candidates], chosen: dict[str, np.ndarray]) -> None:
    """Write the chosen documents by shard and id; what is not in the entries is read again from the indexes, shard by shard."""
    with TableWriter(path, SELECTION) as writer:
        for shard, index in enumerate(indexes):
            score_of: dict[int, float] = {}
            for language, marks in chosen.items():
                for start, entries in known[language].chunks(shard):
                    here = entries[marks[start : start + len(entries)]]
                    score_of |= zip(here["row"].tolist(), here["score"].tolist(), strict=True)
            rows = enumerate(read_rows(index, ["id", "language", "repo", "tokens"])) if score_of else ()
            taken = [{**row, "shard": shard, "score": score_of[number]} for number, row in rows if number in score_of]
            writer.write_all(sorted(taken, key=lambda row: row["id"]))


def ranked_facts(known: Candidates, chosen: np.ndarray) -> dict[str, Any]:
    """How a ranking was cut: `threshold` is the lowest score chosen, `passed_over` were better but too large."""
    if not chosen.any():
        return {"threshold": None, "passed_over": 0}
    lowest = min(entries["score"][chosen[start : start + len(entries)]].min(initial=np.inf) for start, entries in known.chunks())
    better = (entries["score"][~chosen[start : start + len(entries)]] > lowest for start, entries in known.chunks())
    return {"threshold": _score(lowest), "passed_over": sum(int(one.sum()) for one in better)}


def in_place_of(path: Path, known: dict[str, Candidates], indexes: Sequence[Path]) -> dict[str, np.ndarray]:
    """The documents of another selection, per language as a mark for each. A document that is no candidate is a SnowError."""
    marks = {language: np.zeros(each.count, bool) for language, each in known.items()}
    rows = read_tuples(path, ["shard", "id"])
    wanted = 0
    for shard, same in itertools.groupby(rows, key=lambda row: row[0]):  # a selection is sorted by shard
        ids = {name for _, name in same}
        wanted += len(ids)
        there = read_rows(indexes[shard], ["id"]) if shard < len(indexes) else ()
        numbers = np.array([number for number, row in enumerate(there) if row["id"] in ids], dtype=np.int64)
        for language, each in known.items():
            for start, entries in each.chunks(shard):
                marks[language][start : start + len(entries)] = np.isin(entries["row"], numbers)
    if sum(int(one.sum()) for one in marks.values()) < wanted:
        raise SnowError(f"{path} has documents that the indexes lack; run `snow select` for it again")
    return marks


class Params(Protocol):
    seed: int
    selection: Selection
    exclude_languages: Sequence[str]


def run(job: Job[Params]) -> dict[str, Any]:
    """scores, index (both all shards, in order), [like] -> selection; `like` is the selection that a random one is drawn in place of."""
    settings, seed, indexes = job.params.selection, job.params.seed, job.inputs.get("index", ())
    known = candidates(job.inputs.get("scores", ()), indexes, seed, job.params.exclude_languages, job.work)
    if not known:
        raise SnowError("there is no document to select from: the indexes are empty or exclude_languages names every language")
    available = {language: each.tokens for language, each in known.items()}
    other = in_place_of(job.input("like"), known, indexes) if settings.tokens is None else None
    if other is not None:
        targets = {language: _taken(each, other[language])["tokens"] for language, each in known.items()}
        budget = sum(targets.values())
    else:
        budget = settings.tokens or 0
        targets = shares(available, budget)
    chosen = choose(known, other is not None, targets, budget, job.work)
    write(job.output("selection"), indexes, known, chosen)
    languages = {
        language: {
            "available": _taken(each, np.ones(each.count, bool)),
            "target_tokens": targets[language],
            "chosen": _taken(each, chosen[language]) | (ranked_facts(each, chosen[language]) if other is None else {}),
        }
        | ({"in_both": _taken(each, chosen[language] & other[language])} if other is not None else {})
        for language, each in known.items()
    }
    parts = ("available", "chosen", *(["in_both"] if other is not None else []))
    return {
        "budget_tokens": budget,
        "budget_exceeds_corpus": budget > sum(available.values()),
        "excluded_languages": sorted(job.params.exclude_languages),
        **{
            part: {count: sum(language[part][count] for language in languages.values()) for count in ("documents", "tokens")}
            for part in parts
        },
        "languages": languages,
    }


def _taken(known: Candidates, marks: np.ndarray) -> dict[str, Any]:
    documents = tokens = 0
    scores = 0.0
    for start, entries in known.chunks():
        here = entries[marks[start : start + len(entries)]]
        documents, tokens, scores = documents + len(here), tokens + int(here["tokens"].sum()), scores + here["score"].sum(dtype=np.float64)
    return {"documents": documents, "tokens": tokens, "mean_score": _score(scores / documents) if documents else None}


def _score(value: Any) -> float:
    return round(float(value), 5)

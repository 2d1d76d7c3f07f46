"""What phase 2 gets: the best documents of every language, in the corpus' mix, to the budget; and as many of each at random."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from snow.errors import SnowError
from snow.quality import candidates
from snow.quality.select import SELECTION, TOLERANCE, fill
from snow.tables import document_id
from tests.quality import quality_jobs as jobs
from tests.stage_runs import run

LANGUAGES = {"Python": 700, "C": 250, "SQL": 40, "HTML": 1}


def documents(scores: int | None = None, seed: int = 0) -> jobs.Rows:
    """Documents with tokens and scores; with `scores`, only so many different ones."""
    generator = np.random.default_rng(seed)
    rows = []
    for language, count in LANGUAGES.items():
        for number in range(count):
            score = generator.random() if scores is None else generator.integers(0, scores) / scores
            name = document_id(f"{language} {number}")
            tokens = int(generator.lognormal(6, 1)) + 1
            rows.append(
                {"id": name, "repo": f"{language}/{number % 9}", "language": language, "score": float(np.float32(score)), "tokens": tokens}
            )
    return rows


@dataclass(frozen=True)
class Corpus:
    """Score and index files, in the order of shards."""

    folder: Path
    inputs: dict[str, list[Path]]

    def select(self, name: str, like: Path | None = None, seed: int = 0, **changes: Any) -> Selected:
        """The pocket run's selection of that name, its own params or those of the selection it is like changed by dotted key."""
        output = self.folder / f"{name}.parquet"
        inputs = self.inputs | ({"like": [like]} if like else {})
        facts = run("select", name, self.folder, inputs, {"selection": output}, {"seed": seed, **changes})
        return Selected(facts, pq.read_table(output).to_pylist(), output)

    def best(self, seed: int = 0, **selection: Any) -> Selected:
        return self.select("best", seed=seed, **{"selections.best": selection})

    def both(self, seed: int = 0, **selection: Any) -> tuple[Selected, Selected]:
        """The best, and as many at random."""
        best = self.best(seed, **selection)
        return best, self.select("random", best.path, seed, **{"selections.best": selection})


@dataclass(frozen=True)
class Selected:
    """The facts and rows of a selection, and where it lies."""

    facts: dict[str, Any]
    rows: jobs.Rows
    path: Path

    @property
    def ids(self) -> set[str]:
        return {row["id"] for row in self.rows}

    @property
    def tokens(self) -> int:
        return sum(row["tokens"] for row in self.rows)


def corpus(folder: Path, rows: jobs.Rows, shards: int = 3, missing: bool = False) -> Corpus:
    """Scores hold held-out documents too, and in another order than the indexes."""
    folder.mkdir(exist_ok=True)
    inputs: dict[str, list[Path]] = {"scores": [], "index": []}
    for shard in range(shards):
        mine = [row for number, row in enumerate(rows) if number % shards == shard]
        heldout = {"id": document_id(f"held out {shard}"), "score": 2.0}
        table = [{"id": row["id"], "score": row["score"]} for row in reversed(mine[missing:])]
        inputs["scores"].append(folder / f"s{shard}.parquet")
        scores_schema = pa.schema({"id": pa.string(), "score": pa.float32()})
        pq.write_table(pa.Table.from_pylist([heldout, *table], scores_schema), inputs["scores"][-1])
        columns = ("id", "repo", "language", "tokens")
        schema = pa.schema({name: pa.int64() if name == "tokens" else pa.string() for name in columns})
        inputs["index"].append(folder / f"i{shard}.parquet")
        pq.write_table(pa.Table.from_pylist([{name: row[name] for name in columns} for row in mine], schema), inputs["index"][-1])
    return Corpus(folder, inputs)


def by_language(rows: jobs.Rows) -> dict[str, int]:
    sums: dict[str, int] = defaultdict(int)
    for row in rows:
        sums[row["language"]] += row["tokens"]
    return sums


def test_the_best_of_every_language_in_the_corpus_mix(tmp_path: Path) -> None:
    rows = documents()
    selected = corpus(tmp_path, rows).best(tokens=50_000)
    facts, total = selected.facts, sum(row["tokens"] for row in rows)
    assert selected.tokens == pytest.approx(50_000, rel=0.01)
    for language, tokens in by_language(rows).items():
        about, taken = facts["languages"][language], by_language(selected.rows)[language]
        assert about["target_tokens"] == 50_000 * tokens // total
        if language in ("Python", "C"):
            assert taken == pytest.approx(about["target_tokens"], rel=0.02)
        best = sorted((row for row in rows if row["language"] == language), key=lambda row: -row["score"])
        chosen = [row["id"] in selected.ids for row in best]
        last = max((rank for rank, one in enumerate(chosen) if one), default=-1)
        # In order from the best, and what was passed over did not fit.
        others = sum(by_language(selected.rows)[other] for other in LANGUAGES if other != "Python")
        missing = (50_000 - others if language == "Python" else about["target_tokens"]) * 1.01
        for row, one in zip(best[: last + 1], chosen, strict=False):
            assert one == (row["tokens"] <= missing)
            missing -= row["tokens"] if one else 0
        assert about["chosen"] | {"mean_score": None} == {
            "tokens": taken,
            "documents": sum(chosen),
            "mean_score": None,
            "passed_over": last + 1 - sum(chosen),
            "threshold": pytest.approx(best[last]["score"], abs=1e-5) if last >= 0 else None,
        }
        assert (about["available"]["documents"], about["available"]["tokens"]) == (len(best), tokens)
    assert facts["chosen"] == {"documents": len(selected.rows), "tokens": selected.tokens}
    assert facts["available"] == {"documents": len(rows), "tokens": total}
    assert facts["languages"]["HTML"]["chosen"]["documents"] == 0  # one document, far larger than its share
    assert not facts["budget_exceeds_corpus"]


@pytest.mark.parametrize(
    ("sizes", "target", "taken"),
    [
        ([30, 30, 30, 30], 60, [0, 1]),
        ([30, 900, 30, 30], 60, [0, 2]),  # a giant is passed over
        ([30, 50, 30], 60, [0, 2]),
        ([30, 50, 20, 9], 60, [0, 2, 3]),
        ([100], 30, []),
        ([59_500, 800, 100], 60_000, [0, 1]),  # 1 % too much is as near
        ([59_400, 1300, 100], 60_000, [0]),  # 1 % is missing, which is near enough
        ([59_000, 5_000, 800], 60_000, [0, 2]),
        ([], 10, []),
        ([5, 5], 0, []),
        ([40, 7, 3], 50, [0, 1, 2]),
    ],
)
def test_a_budget_is_met_as_nearly_as_documents_allow(sizes: list[int], target: int, taken: list[int]) -> None:
    tokens = np.array(sizes, dtype=np.int64)
    for size in (1, 2, len(sizes) + 1):
        starts = range(0, len(sizes), size)
        found = fill((tokens[start : start + size] for start in starts), target)
        assert [start + position for start, one in zip(starts, found, strict=False) for position in one.tolist()] == taken


def test_rows_name_their_shard_and_are_in_order(tmp_path: Path) -> None:
    rows = documents()
    known = {row["id"]: (number % 3, row) for number, row in enumerate(rows)}
    for selected in corpus(tmp_path, rows).both(tokens=50_000):
        assert [(row["shard"], row["id"]) for row in selected.rows] == sorted((row["shard"], row["id"]) for row in selected.rows)
        for row in selected.rows:
            shard, document = known[row["id"]]
            assert row == {**document, "shard": shard}


@pytest.mark.parametrize("tokens", [20_000, 50_000, 300_000])
def test_a_random_selection_has_the_tokens_of_every_language_that_the_other_has(tmp_path: Path, tokens: int) -> None:
    rows = documents()
    best, control = corpus(tmp_path, rows).both(tokens=tokens)
    wanted, taken = by_language(best.rows), by_language(control.rows)
    assert {language: about["target_tokens"] for language, about in control.facts["languages"].items()} == {
        language: wanted[language] for language in LANGUAGES
    }
    assert control.facts["budget_tokens"] == best.tokens
    for language in ("C", "SQL", "HTML"):
        allowance, missing = TOLERANCE * wanted[language], wanted[language] - taken[language]
        left = [row["tokens"] for row in rows if row["language"] == language and row["id"] not in control.ids]
        # Nothing that is left is small enough where more is missing, as with a few hundred tokens of SQL.
        assert -allowance <= missing <= allowance or min(left) > missing + allowance
        assert language != "C" or abs(missing) <= allowance
    # The largest language makes up for what the others lack, or have too much.
    assert abs(control.tokens - best.tokens) <= TOLERANCE * best.tokens
    assert abs(taken["Python"] - wanted["Python"]) <= TOLERANCE * (wanted["Python"] + best.tokens)


def test_a_random_selection_does_not_look_at_scores(tmp_path: Path) -> None:
    best, control = corpus(tmp_path, documents()).both(tokens=50_000)
    assert np.mean([row["score"] for row in control.rows]) == pytest.approx(0.5, abs=0.1)
    both = best.ids & control.ids
    assert control.facts["in_both"] == {"documents": len(both), "tokens": sum(row["tokens"] for row in best.rows if row["id"] in both)}
    assert len(both) < len(best.rows) / 2
    for language, about in control.facts["languages"].items():
        assert about["in_both"]["documents"] == sum(row["language"] == language for row in best.rows if row["id"] in both)
        assert "threshold" not in about["chosen"]


def test_a_seed_of_its_own_draws_another_random_selection(tmp_path: Path) -> None:
    made = corpus(tmp_path, documents())
    best, control = made.both(tokens=50_000)
    changes: dict[str, Any] = {"selections.best": {"tokens": 50_000}, "selections.random.seed": 1}
    other = made.select("random", best.path, **changes)
    assert other.ids != control.ids
    assert other.facts["languages"].keys() == control.facts["languages"].keys()
    assert abs(other.tokens - best.tokens) <= TOLERANCE * best.tokens
    assert other.ids == made.select("random", best.path, seed=7, **changes).ids, "the recipe's seed is not its own"


def test_a_random_selection_like_one_of_another_corpus_is_refused(tmp_path: Path) -> None:
    made = corpus(tmp_path, documents())
    best = made.best(tokens=50_000)
    row = {"id": document_id("of another corpus"), "language": "C", "repo": "C/1", "shard": 0, "score": 0.5, "tokens": 10}
    pq.write_table(pa.Table.from_pylist([*best.rows, row], SELECTION), best.path)
    with pytest.raises(SnowError, match=r"best\.parquet has documents that the indexes lack; run `snow select` for it again") as raised:
        made.select("random", best.path)
    assert "\n" not in str(raised.value)
    moved = [row | {"shard": (row["shard"] + 1) % 3} for row in best.rows]
    pq.write_table(pa.Table.from_pylist(moved, SELECTION), best.path)
    with pytest.raises(SnowError, match="documents that the indexes lack"):
        made.select("random", best.path)


def test_neither_ties_nor_the_layout_of_shards_change_the_choice(tmp_path: Path) -> None:
    rows = documents(scores=4)
    first, again = (corpus(tmp_path / name, rows).both(tokens=30_000) for name in ("a", "b"))
    other = corpus(tmp_path / "c", rows[::-1], shards=5).both(tokens=30_000)
    reseeded = corpus(tmp_path / "d", rows).both(seed=1, tokens=30_000)
    for mine, same, theirs, another in zip(first, again, other, reseeded, strict=True):
        assert (mine.facts, mine.rows) == (same.facts, same.rows)
        assert mine.ids == theirs.ids
        assert mine.ids != another.ids


def test_an_order_that_is_sorted_in_parts_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, rows in enumerate((documents(), documents(scores=2))):
        whole = corpus(tmp_path / f"whole{number}", rows).both(tokens=50_000)
        for batch in (1, 7, 100):
            monkeypatch.setattr(candidates, "BATCH", batch)
            parts = corpus(tmp_path / f"{number}-{batch}", rows).both(tokens=50_000)
            assert [(one.facts, one.rows) for one in parts] == [(one.facts, one.rows) for one in whole]
            monkeypatch.undo()


def test_the_order_is_that_of_scores_of_any_sign(tmp_path: Path) -> None:
    scores = np.array([0.5, -2, 0.0, -0.0, 3e38, -1e-40, 1e-40, -3e38, 0.5], np.float32)
    entries = np.zeros(len(scores), candidates.ENTRY)
    entries["score"], entries["tie"] = scores, np.arange(len(scores), dtype=np.uint64) << np.uint64(60)
    made = candidates.Candidates(tmp_path / "entries")
    made.add(0, entries)
    assert next(made.ordered(False, tmp_path))["position"].tolist() == [4, 0, 8, 6, 2, 3, 5, 1, 7]


def test_a_budget_above_the_corpus_takes_all_and_says_so(tmp_path: Path) -> None:
    rows = documents()
    best, control = corpus(tmp_path, rows).both(tokens=10**9)
    assert best.facts["budget_exceeds_corpus"]
    assert best.ids == control.ids == {row["id"] for row in rows}


def test_excluded_languages_give_their_share_to_the_others(tmp_path: Path) -> None:
    made = corpus(tmp_path, documents())
    best, control = made.both(tokens=50_000, exclude_languages=["Python", "HTML"])
    for selected in (best, control):
        assert set(selected.facts["languages"]) == {"C", "SQL"} == {row["language"] for row in selected.rows}
        assert selected.facts["excluded_languages"] == ["HTML", "Python"]
    assert best.tokens == pytest.approx(50_000, rel=0.01)
    with pytest.raises(SnowError, match="no document to select from"):
        made.best(tokens=50_000, exclude_languages=list(LANGUAGES))


def test_a_document_without_a_usable_score_is_named(tmp_path: Path) -> None:
    rows = documents()
    with pytest.raises(SnowError, match=f"document {rows[0]['id']} has no score"):
        corpus(tmp_path, rows, missing=True).best(tokens=1000)
    rows[4]["score"] = float("nan")
    with pytest.raises(SnowError, match=f"score of document {rows[4]['id']} is nan"):
        corpus(tmp_path, rows).best(tokens=1000)

"""What phase 2 gets: the best documents of every language, in the corpus' mix, to the budget; and a control like it at random."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from snow.errors import SnowError
from snow.quality.select import fill
from snow.tables import document_id
from tests.quality import quality_jobs as jobs

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


def select(
    folder: Path, rows: jobs.Rows, shards: int = 3, seed: int = 0, missing: bool = False, **selection: Any
) -> tuple[dict[str, Any], jobs.Rows, jobs.Rows]:
    """(facts, selected, control); scores hold held-out documents too, and in another order than the indexes."""
    scores, indexes = [], []
    for shard in range(shards):
        folder.mkdir(exist_ok=True)
        mine = [row for number, row in enumerate(rows) if number % shards == shard]
        heldout = {"id": document_id(f"held out {shard}"), "score": 2.0}
        table = [{"id": row["id"], "score": row["score"]} for row in reversed(mine[missing:])]
        pq.write_table(
            pa.Table.from_pylist([heldout, *table], pa.schema({"id": pa.string(), "score": pa.float32()})), folder / f"s{shard}.parquet"
        )
        columns = ("id", "repo", "language", "tokens")
        schema = pa.schema({name: pa.int64() if name == "tokens" else pa.string() for name in columns})
        pq.write_table(pa.Table.from_pylist([{name: row[name] for name in columns} for row in mine], schema), folder / f"i{shard}.parquet")
        scores.append(folder / f"s{shard}.parquet")
        indexes.append(folder / f"i{shard}.parquet")
    outputs = {"selected": folder / "selected.parquet", "control": folder / "control.parquet"}
    facts = jobs.run("select", folder, {"scores": scores, "index": indexes}, outputs, selection=selection, seed=seed)
    return facts, pq.read_table(outputs["selected"]).to_pylist(), pq.read_table(outputs["control"]).to_pylist()


def by_language(rows: jobs.Rows) -> dict[str, int]:
    sums: dict[str, int] = defaultdict(int)
    for row in rows:
        sums[row["language"]] += row["tokens"]
    return sums


def test_the_best_of_every_language_in_the_corpus_mix(tmp_path: Path) -> None:
    rows = documents()
    facts, selected, _ = select(tmp_path, rows, tokens=50_000)
    total = sum(row["tokens"] for row in rows)
    assert sum(row["tokens"] for row in selected) == pytest.approx(50_000, rel=0.01)
    for language, tokens in by_language(rows).items():
        about, taken = facts["languages"][language], by_language(selected)[language]
        assert about["target_tokens"] == 50_000 * tokens // total
        if language in ("Python", "C"):
            assert taken == pytest.approx(about["target_tokens"], rel=0.02)
        best = sorted((row for row in rows if row["language"] == language), key=lambda row: -row["score"])
        chosen = [row["id"] in {one["id"] for one in selected} for row in best]
        last = max((rank for rank, one in enumerate(chosen) if one), default=-1)
        # In order from the best, and what was passed over did not fit.
        others = sum(by_language(selected)[other] for other in LANGUAGES if other != "Python")
        missing = (50_000 - others if language == "Python" else about["target_tokens"]) * 1.01
        for row, one in zip(best[: last + 1], chosen, strict=False):
            assert one == (row["tokens"] <= missing)
            missing -= row["tokens"] if one else 0
        assert about["selected"] | {"mean_score": None} == {
            "tokens": taken,
            "documents": sum(chosen),
            "mean_score": None,
            "passed_over": last + 1 - sum(chosen),
            "threshold": pytest.approx(best[last]["score"], abs=1e-5) if last >= 0 else None,
        }
    assert facts["selected"] == {"documents": len(selected), "tokens": sum(row["tokens"] for row in selected)}
    assert facts["languages"]["HTML"]["selected"]["documents"] == 0  # one document, far larger than its share
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
    assert fill(np.array(sizes, dtype=np.int64), target).tolist() == taken


def test_rows_name_their_shard_and_are_in_order(tmp_path: Path) -> None:
    rows = documents()
    _, selected, control = select(tmp_path, rows, tokens=50_000)
    known = {row["id"]: (number % 3, row) for number, row in enumerate(rows)}
    for table in (selected, control):
        assert [(row["shard"], row["id"]) for row in table] == sorted((row["shard"], row["id"]) for row in table)
        for row in table:
            shard, document = known[row["id"]]
            assert row == {**document, "shard": shard}


def test_the_control_is_like_the_selection_but_random(tmp_path: Path) -> None:
    facts, selected, control = select(tmp_path, documents(), tokens=50_000)
    assert sum(row["tokens"] for row in control) == pytest.approx(sum(row["tokens"] for row in selected), rel=0.01)
    for language in ("Python", "C"):
        assert by_language(control)[language] == pytest.approx(by_language(selected)[language], rel=0.1)
    assert np.mean([row["score"] for row in control]) == pytest.approx(0.5, abs=0.1)
    both = {row["id"] for row in selected} & {row["id"] for row in control}
    assert facts["in_both"]["documents"] == len(both) < len(selected) / 2


def test_neither_ties_nor_the_layout_of_shards_change_the_choice(tmp_path: Path) -> None:
    rows = documents(scores=4)
    first, again = select(tmp_path / "a", rows, tokens=30_000), select(tmp_path / "b", rows, tokens=30_000)
    assert first == again
    other = select(tmp_path / "c", rows[::-1], shards=5, tokens=30_000)
    for mine, theirs in zip(first[1:], other[1:], strict=True):
        assert {row["id"] for row in mine} == {row["id"] for row in theirs}
    reseeded = select(tmp_path / "d", rows, seed=1, tokens=30_000)
    for mine, theirs in zip(first[1:], reseeded[1:], strict=True):
        assert {row["id"] for row in mine} != {row["id"] for row in theirs}


def test_a_budget_above_the_corpus_takes_all_and_says_so(tmp_path: Path) -> None:
    rows = documents()
    facts, selected, control = select(tmp_path, rows, tokens=10**9)
    assert facts["budget_exceeds_corpus"]
    assert {row["id"] for row in selected} == {row["id"] for row in control} == {row["id"] for row in rows}


def test_excluded_languages_give_their_share_to_the_others(tmp_path: Path) -> None:
    facts, selected, control = select(tmp_path, documents(), tokens=50_000, exclude_languages=["Python", "HTML"])
    assert set(facts["languages"]) == {"C", "SQL"} == {row["language"] for row in (*selected, *control)}
    assert sum(row["tokens"] for row in selected) == pytest.approx(50_000, rel=0.01)
    with pytest.raises(SnowError, match="no document to select from"):
        select(tmp_path, documents(), tokens=50_000, exclude_languages=list(LANGUAGES))


def test_a_document_without_a_usable_score_is_named(tmp_path: Path) -> None:
    rows = documents()
    with pytest.raises(SnowError, match=f"document {rows[0]['id']} has no score"):
        select(tmp_path, rows, missing=True, tokens=1000)
    rows[4]["score"] = float("nan")
    with pytest.raises(SnowError, match=f"score of document {rows[4]['id']} is nan"):
        select(tmp_path, rows, tokens=1000)

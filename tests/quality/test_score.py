"""Scores: one row per document, a function of the document alone, resumable, and as the annotator's own validation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file, save_file

from snow.errors import SnowError
from snow.quality import head as heads
from snow.quality import score as stage
from tests.quality import quality_jobs as jobs
from tests.quality.conftest import Trained
from tests.stage_runs import run


def score(
    trained: Trained, folder: Path, documents: jobs.Rows, annotator: Path | None = None, **scoring: Any
) -> tuple[dict[str, Any], pa.Table]:
    inputs = {"documents": jobs.write_documents(folder / "documents.parquet", documents), "annotator": annotator or trained.folder}
    changes = {"annotators.hqins.scoring": {"window_tokens": jobs.WINDOW, **scoring}}
    facts = run("score", "hqins/00000", folder, inputs, {"scores": folder / "scores.parquet"}, changes)
    return facts, pq.read_table(folder / "scores.parquet")


@pytest.fixture(scope="session")
def documents() -> jobs.Rows:
    return [*jobs.corpus()[:30], jobs.document("tiny", "short.py", "Python", "x = 1\n"), jobs.document("tiny", "blank.c", "C", "\n" * 200)]


def test_every_document_has_its_row_in_order(trained: Trained, tmp_path: Path, documents: jobs.Rows) -> None:
    facts, table = score(trained, tmp_path, documents)
    assert table.schema.names == ["id", "repo", "path", "language", "size", "score", "top", "middle", "bottom"]
    for name in ("id", "repo", "path", "language", "size"):
        assert table.column(name).to_pylist() == [row[name] for row in documents]
    sections = np.stack([table.column(name).to_numpy() for name in ("top", "middle", "bottom")])
    assert table.column("score").to_numpy() == pytest.approx(sections.mean(axis=0), abs=2e-5)
    assert len(set(sections[:, -2])) == 1  # a text within one window is scored once
    assert facts["documents"] == 32
    assert facts["languages"]["C"]["documents"] == 1


def test_a_score_depends_on_its_document_alone(trained: Trained, tmp_path: Path, documents: jobs.Rows) -> None:
    (tmp_path / "other").mkdir()
    _, table = score(trained, tmp_path, documents)
    _, other = score(trained, tmp_path / "other", documents[::-3])
    known = {row["id"]: row for row in table.to_pylist()}
    assert other.to_pylist() == [known[row["id"]] for row in documents[::-3]]
    assert (tmp_path / "scores.parquet").read_bytes() != (tmp_path / "other" / "scores.parquet").read_bytes()


def test_an_interrupted_shard_continues(trained: Trained, tmp_path: Path, documents: jobs.Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed in its third batch, the job scores only what is left and writes what an uninterrupted one writes."""
    (tmp_path / "whole").mkdir()
    monkeypatch.setitem(stage.ROWS, "cpu", 10)
    scored: list[int] = []
    real = heads.window_scores

    def counting(encoder: Any, head: Any, windows: list[Any], *others: Any) -> np.ndarray:
        if len(scored) == 2 and not (tmp_path / "interrupted").exists():
            (tmp_path / "interrupted").touch()
            raise KeyboardInterrupt
        scored.append(len(windows))
        return real(encoder, head, windows, *others)

    monkeypatch.setattr(heads, "window_scores", counting)
    with pytest.raises(KeyboardInterrupt):
        score(trained, tmp_path, documents)
    score(trained, tmp_path, documents)
    assert scored == [10, 10, 10, 2]
    score(trained, tmp_path / "whole", documents)
    assert (tmp_path / "scores.parquet").read_bytes() == (tmp_path / "whole" / "scores.parquet").read_bytes()


def test_sections_and_precision_are_as_asked(trained: Trained, tmp_path: Path, documents: jobs.Rows) -> None:
    for name in ("top", "rough"):
        (tmp_path / name).mkdir()
    _, whole = score(trained, tmp_path, documents)
    _, top = score(trained, tmp_path / "top", documents, sections=["top"])
    assert top.schema.names[5:] == ["score", "top"]
    assert top.column("score") == whole.column("top")
    _, rough = score(trained, tmp_path / "rough", documents, precision="bf16")
    assert rough.column("score").to_numpy() == pytest.approx(whole.column("score").to_numpy(), abs=0.02)


def test_an_empty_shard_is_scored(trained: Trained, tmp_path: Path) -> None:
    facts, table = score(trained, tmp_path, [])
    assert (facts["documents"], table.num_rows) == (0, 0)


def test_a_window_longer_than_the_annotator_says_so(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(SnowError, match=r"annotators\.hqins\.scoring\.window_tokens is 1024, but .* takes at most 512"):
        score(trained, tmp_path, [], window_tokens=1024)


@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_broken_annotator_names_the_document(trained: Trained, tmp_path: Path, documents: jobs.Rows) -> None:
    broken = tmp_path / "annotator"
    broken.mkdir()
    for file in trained.folder.iterdir():
        (broken / file.name).symlink_to(file)
    (broken / heads.HEAD).unlink()
    tensors = load_file(trained.folder / heads.HEAD)
    save_file(tensors | {"bias": np.array([np.nan], dtype=np.float32)}, broken / heads.HEAD)
    with pytest.raises(SnowError, match=f"document {documents[0]['id']} .*{documents[0]['path']}"):
        score(trained, tmp_path, documents, broken)
    (broken / heads.HEAD).unlink()
    with pytest.raises(SnowError, match="is no annotator"):
        score(trained, tmp_path, documents, broken)

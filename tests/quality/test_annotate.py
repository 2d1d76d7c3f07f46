"""The annotator: trained on what it may see, better than chance on what it has not seen, the same on every run."""

from __future__ import annotations

import json
import sysconfig
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from sklearn.metrics import roc_auc_score
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel

from snow import packaged
from snow.corpus.heldout import Heldout
from snow.errors import SnowError
from snow.quality import fit, head, negatives, validate
from snow.quality.annotate import section_of, split
from tests.quality import quality_jobs as jobs
from tests.quality.conftest import Trained
from tests.stage_runs import ROOT


def test_it_recognises_solutions_it_has_not_seen(trained: Trained) -> None:
    found = trained.facts["validation"]
    suite = found["suites"]["humaneval"]
    assert found["split"] == {"positives": 40, "negatives": 16, "auc": pytest.approx(1, abs=0.15)}
    assert (suite["positives"], suite["negatives"]) == (30, 25)
    assert suite["auc"] > 0.85
    assert suite["auc_same_length"] > 0.7
    assert 0 < suite["negatives_same_language"] < suite["negatives"]
    assert trained.facts["training"] == {"positives": 160, "negatives": 64}


def test_the_same_job_writes_the_same_bytes(trained: Trained, tmp_path: Path) -> None:
    facts = jobs.annotate(tmp_path / "again", trained.inputs, trained.settings)
    assert facts == trained.facts
    description = json.loads((trained.folder / head.DESCRIPTION).read_text())
    assert description.items() <= facts.items()
    assert "validation" not in description, "a suite more would change the annotator, and every document be scored again"
    for file in trained.folder.rglob("*"):
        if file.is_file():
            assert file.read_bytes() == (tmp_path / "again" / file.relative_to(trained.folder)).read_bytes(), file


def test_the_folder_opens_in_transformers(trained: Trained) -> None:
    model, tokenizer = AutoModel.from_pretrained(trained.folder), AutoTokenizer.from_pretrained(trained.folder)
    text = "def add(first, second):\n    return first + second\n"
    hidden = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(dim=0)
    encoder, fitted = head.load(trained.folder, 1, "fp32")
    (score,) = head.section_scores(encoder, fitted, [text], ("top",), jobs.WINDOW)[0]
    logit = torch.nn.functional.normalize(hidden, dim=0).detach().numpy() @ fitted.weight + fitted.bias
    assert score == pytest.approx(1 / (1 + np.exp(-logit[0])), abs=1e-5)


def test_nothing_names_this_machine(trained: Trained) -> None:
    for name in ("config.json", "tokenizer_config.json", head.DESCRIPTION):
        text = (trained.folder / name).read_text()
        assert str(ROOT) not in text
        assert sysconfig.get_path("purelib") not in text


def test_negatives_are_a_random_sample_outside_the_held_out_repositories(trained: Trained) -> None:
    paths = trained.inputs["documents"]
    drawn = negatives.sample(negatives.candidates(paths, Heldout(frozenset({jobs.HELD_OUT}))), 60, 0)
    rows = [row for path in paths for row in pq.read_table(path).to_pylist()]
    known = {row["id"]: row for row in rows}
    assert len({each.id for each in drawn}) == 60
    assert jobs.HELD_OUT not in {known[each.id]["repo"] for each in drawn}
    fetched = {each.id: (language, content) for each, language, content in negatives.fetch(paths, drawn)}
    assert fetched == {each.id: (known[each.id]["language"], known[each.id]["content"]) for each in drawn}
    # Another layout of the shards draws the same documents.
    backwards = (negatives.Drawn(row["id"], 0, number) for number, row in enumerate(reversed(rows)) if row["repo"] != jobs.HELD_OUT)
    other = negatives.sample(backwards, 60, 0)
    assert [each.id for each in other] == [each.id for each in drawn]


def test_every_section_is_trained_on() -> None:
    names = [str(number) for number in range(3000)]
    counts = [sum(section_of(0, name) == section for name in names) for section in ("top", "middle", "bottom")]
    assert min(counts) > 900
    assert split(list(range(10)), 0.2) == ([2, 3, 4, 5, 6, 7, 8, 9], [0, 1])


def test_excerpts_are_as_long_as_the_solutions() -> None:
    texts = ["".join(f"line {number}\n" for number in range(100)), "short\n"]
    pieces = validate.excerpts(texts, [50, 7, 100_000], 0)
    assert [len(piece) for piece in pieces] == [50, 7]
    assert all(piece.startswith("line") and piece in texts[0] for piece in pieces)


def test_too_small_a_corpus_says_so(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(SnowError, match=r"documents that are not held out.*ask for 5025"):
        jobs.annotate(tmp_path / "a", trained.inputs, trained.settings | {"negatives": 5000})


def test_a_window_longer_than_the_encoder_says_so(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(SnowError, match=r"window_tokens is 1024, but .* takes at most 512"):
        jobs.annotate(tmp_path / "a", trained.inputs, trained.settings | {"window_tokens": 1024})


def test_training_the_encoder_too_changes_it(trained: Trained, tmp_path: Path) -> None:
    """On a small random BERT with MiniLM's vocabulary, which learns to tell the two sets apart in two epochs."""
    torch.manual_seed(0)
    tiny = BertConfig(vocab_size=30522, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64)
    BertModel(tiny, add_pooling_layer=False).save_pretrained(tmp_path / "tiny")
    AutoTokenizer.from_pretrained(packaged.locate(jobs.ENCODER)).save_pretrained(tmp_path / "tiny")
    tuning = {"epochs": 4, "batch_size": 16, "learning_rate": 3.0e-3}
    changed = trained.settings | {"encoder": str(tmp_path / "tiny"), "finetune": tuning}
    folders = [tmp_path / "first", tmp_path / "second"]
    facts = [jobs.annotate(folder, trained.inputs, changed) for folder in folders]
    assert facts[0]["validation"]["split"]["auc"] > 0.8
    assert facts[0] == facts[1]
    for name in ("model.safetensors", head.HEAD):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
    assert (folders[0] / "model.safetensors").read_bytes() != (tmp_path / "tiny" / "model.safetensors").read_bytes()


def test_roc_auc_counts_ties_half() -> None:
    generator = np.random.default_rng(0)
    good, bad = generator.integers(0, 5, 40), generator.integers(0, 4, 60)
    assert fit.roc_auc(good, bad) == pytest.approx(((good[:, None] > bad).mean() + (good[:, None] == bad).mean() / 2), abs=1e-4)
    assert fit.roc_auc(good, bad) == pytest.approx(roc_auc_score([1] * 40 + [0] * 60, [*good, *bad]), abs=1e-4)
    assert fit.roc_auc([1.0], []) is None


def test_the_head_is_at_the_minimum_of_its_loss() -> None:
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(200, 8)).astype(np.float32) * 0.05 + 0.3
    labels = (rows[:, 0] + generator.normal(size=200) * 0.03 > 0.3).astype(int)
    fitted = fit.logistic(rows, labels, 5.0)

    def loss(weight: np.ndarray, bias: float) -> float:
        logits = rows @ weight + bias
        return float(np.logaddexp(0, np.where(labels == 1, -logits, logits)).sum() + 2.5 * ((weight * rows.std(axis=0)) ** 2).sum())

    best = loss(fitted.weight, float(fitted.bias[0]))
    for _ in range(50):
        step = generator.normal(size=9) * 0.3
        assert loss(fitted.weight + step[:8], float(fitted.bias[0]) + step[8]) > best

"""Bits per byte is what it says, for any tokenizer, whatever the batches, and only of the bytes it names."""

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from snow.errors import SnowError
from snow.evaluate.spans import Text, strides
from snow.suites.tasks import read_suite
from tests.evaluate.models import memorise
from tests.stage_runs import run
from tests.tokens.token_jobs import document, write_documents, write_heldout

CONTENTS = {
    "known": "def known(values):\n    total = 0\n    for value in values:\n        total += value\n    return total\n" * 3,
    "accents": "# größer als\nname = 'naïve café — ∑ 東京'\nprint(name)\n" * 4,
}
FOREIGN = '#include <stdio.h>\nint main(void) { printf("%d\\n", 42); return 0; }\n' * 6


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return memorise(list(CONTENTS.values()), tmp_path_factory.mktemp("model"), vocabulary=320, steps=80)


@pytest.fixture(scope="session")
def suite(humaneval: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first three tasks."""
    path = tmp_path_factory.mktemp("suite") / "few.jsonl"
    path.write_text("".join(line + "\n" for line in humaneval.read_text().splitlines()[:3]))
    return path


@pytest.fixture(scope="session", params=[True, False], ids=["with context", "without"])
def packed(request: pytest.FixtureRequest, model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Two shards of held-out documents in two languages, as `snow pack` writes them."""
    folder = tmp_path_factory.mktemp("packed")
    python = [document("one", f"{name}.py", "Python", content) for name, content in CONTENTS.items()]
    shards = [python, [document("two", "main.c", "C", FOREIGN)]]
    heldout = write_heldout(folder / "heldout.json", ["one", "two"])
    found: dict[str, list[Path]] = {"tokens": [], "index": []}
    for number, rows in enumerate(shards):
        inputs = {"documents": write_documents(folder / f"{number}.parquet", rows), "only": heldout, "tokenizer": model}
        outputs = {"tokens": folder / f"{number}.bin", "index": folder / f"{number}.index.parquet"}
        run("pack", f"heldout-bpe/{number:05}", folder, inputs, outputs, {"groupings.language_repo.repo_context": request.param})
        for name, path in outputs.items():
            found[name].append(path)
    return found


def measured(folder: Path, model: Path, suite: Path, packed: dict[str, list[Path]], **changes: Any) -> dict[str, Any]:
    """What the stage writes."""
    inputs, output = {"model": model, "suites": [suite], **packed}, folder / "bits.json"
    run("bits", "phase1", folder, inputs, {"bits": output}, {"evaluation.bits": changes})
    return json.loads(output.read_text())


def test_every_byte_of_the_content_and_no_other_is_scored(model: Path, suite: Path, packed: dict[str, list[Path]], tmp_path: Path) -> None:
    found = measured(tmp_path, model, suite, packed)
    languages = found["heldout"]["languages"]
    assert list(languages) == ["C", "Python"]
    python = sum(len(content.encode()) for content in CONTENTS.values())
    # The first token of a document, or the one that holds the path's newline and the content's beginning, has no bits of its own.
    assert python - 2 * 12 <= languages["Python"]["bytes"] <= python
    assert len(FOREIGN) - 12 <= languages["C"]["bytes"] <= len(FOREIGN)
    assert found["heldout"]["total"]["bytes"] == sum(language["bytes"] for language in languages.values())
    solutions = sum(len(task.solution.encode()) for task in read_suite(suite))
    assert found["suites"]["few"]["bytes"] == solutions


def test_what_the_model_knows_costs_little_and_the_rest_more_than_the_baseline(
    model: Path, suite: Path, packed: dict[str, list[Path]], tmp_path: Path
) -> None:
    languages = measured(tmp_path, model, suite, packed)["heldout"]["languages"]
    assert languages["Python"]["bits_per_byte"] < 0.5 < languages["Python"]["byte_unigram_entropy"]
    assert languages["C"]["bits_per_byte"] > languages["C"]["byte_unigram_entropy"]


def test_the_baseline_is_the_entropy_of_the_scored_bytes(model: Path, suite: Path, packed: dict[str, list[Path]], tmp_path: Path) -> None:
    counts = Counter("".join(task.solution for task in read_suite(suite)).encode())
    total = sum(counts.values())
    entropy = -sum(count / total * math.log2(count / total) for count in counts.values())
    assert measured(tmp_path, model, suite, packed)["suites"]["few"]["byte_unigram_entropy"] == pytest.approx(entropy, abs=1e-6)


def test_solutions_cost_what_transformers_says_they_cost(model: Path, suite: Path, packed: dict[str, list[Path]], tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(model)
    alone = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
    nats, size = 0.0, 0
    for task in read_suite(suite):
        prompt, solution = tokenizer.encode(task.prompt), tokenizer.encode(task.solution)
        labels = [-100] * len(prompt) + solution
        with torch.no_grad():
            nats += alone(input_ids=torch.tensor([prompt + solution]), labels=torch.tensor([labels])).loss.item() * len(solution)
        size += len(task.solution.encode())
    found = measured(tmp_path, model, suite, packed, sequence_length=1024)["suites"]["few"]
    assert found["bits_per_byte"] == pytest.approx(nats / math.log(2) / size, rel=1e-5)


def test_neither_batches_nor_repetition_change_the_numbers(model: Path, suite: Path, packed: dict[str, list[Path]], tmp_path: Path) -> None:
    first = measured(tmp_path / "1", model, suite, packed, sequence_length=64, batch_size=1)
    second = measured(tmp_path / "2", model, suite, packed, sequence_length=64, batch_size=7)
    third = measured(tmp_path / "3", model, suite, packed, sequence_length=64, batch_size=7)
    assert second == third
    assert (tmp_path / "2" / "bits.json").read_bytes() == (tmp_path / "3" / "bits.json").read_bytes()
    for name, value in first["heldout"]["total"].items():
        assert value == pytest.approx(second["heldout"]["total"][name], rel=1e-5)


def test_a_budget_is_spread_over_the_languages(model: Path, suite: Path, packed: dict[str, list[Path]], tmp_path: Path) -> None:
    whole = measured(tmp_path, model, suite, packed, sequence_length=32)["heldout"]
    part = measured(tmp_path, model, suite, packed, sequence_length=32, max_tokens=whole["total"]["tokens"] // 3)["heldout"]
    for name, language in whole["languages"].items():
        assert 0.2 < part["languages"][name]["tokens"] / language["tokens"] < 0.5


def test_strides_score_each_token_once_with_half_a_window_of_context() -> None:
    text = Text("any", begin=100, first=105, end=200)
    rows = list(strides(text, 32))
    scored = [position for _, first, end in rows for position in range(first, end)]
    assert scored == list(range(105, 200))
    assert all(end - begin <= 33 and begin >= 100 for begin, _, end in rows)
    assert all(first - begin >= min(16, first - 100) for begin, first, _ in rows)


def test_windows_longer_than_the_model_are_refused(model: Path, suite: Path, packed: dict[str, list[Path]], tmp_path: Path) -> None:
    with pytest.raises(SnowError, match="exceeds the model's 1024 positions"):
        measured(tmp_path, model, suite, packed, sequence_length=2048)


def test_tokens_of_another_vocabulary_are_refused(suite: Path, packed: dict[str, list[Path]], tmp_path: Path) -> None:
    other = memorise(["x = 1\n"], tmp_path / "model", vocabulary=300)
    with pytest.raises(SnowError, match="pack them with its tokenizer"):
        measured(tmp_path, other, suite, packed)

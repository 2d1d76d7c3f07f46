"""`snow trace` on a finished run: forward to tokens, models and synthetic files, and back from a model."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from tokenizers import Tokenizer

from snow import params as settings
from snow import stages
from snow.pretrain import data
from snow.tables import read_rows
from snow.trace import windows
from snow.trace.lookup import Recipe

from .workspace import Clone


def traced(clone: Clone, *words: str) -> dict[str, dict[str, Any]]:
    """The steps that `snow trace WORDS --json` tells, by name."""
    return {step["step"]: step for step in json.loads(clone.snow("trace", "--json", *words).stdout)["steps"]}


def rows(clone: Clone, folder: str) -> list[dict[str, Any]]:
    return [row for path in sorted((clone.path / folder).glob("*.parquet")) for row in read_rows(path)]


def test_a_selected_document_is_followed_into_tokens_models_and_what_it_inspired(finished: Clone) -> None:
    generated = rows(finished, "synthetic/inspired/raw")
    one = next(row for row in rows(finished, "corpus/decontaminated") if row["id"] == generated[0]["document"])
    steps = traced(finished, one["id"])
    assert steps["selection best"]["selected"]
    assert steps["score hqins"]["score"] >= steps["selection best"]["threshold"]
    tokenizer = Tokenizer.from_file(str(finished.path / "tokenizers/bpe/tokenizer.json"))
    sets = {placed["artifact"]: placed for placed in steps["tokens"]["sets"]}
    assert {"tokens-corpus", "tokens-best"} <= sets.keys()
    for placed in sets.values():
        tokens = np.fromfile(finished.path / placed["file"], np.uint16)[placed["offset"] :][: placed["tokens"]]
        assert tokenizer.decode(tokens, skip_special_tokens=False).endswith(f"{one['content']}<|endoftext|>")
    told = steps["models"]["models"]
    receipt = json.loads((finished.path / "receipts/pretrain/phase2.json").read_text())["facts"]
    assert told["phase2"]["sets"]["best"]["passes"] == receipt["sets"]["best"]["passes"]
    assert (told["phase2"]["sets"]["best"]["reads"] > 0, told["phase3"]) == (True, {"sets": {}, "through": "phase2"})
    asked = [row["request"] for row in generated if row["document"] == one["id"]]
    assert [request["request"] for request in steps["seeds inspired"]["requests"]] == asked


def windows_read(clone: Clone, model: str) -> tuple[int, Counter[int]]:
    """How long a model's windows are, and how often its training took each, step by step as it does."""
    receipt = json.loads((clone.path / f"receipts/pretrain/{model}.json").read_text())
    declared, (one,) = receipt["spec"]["params"][f"models.{model}"], receipt["facts"]["sets"].values()
    length, seed = declared["sequence_length"], receipt["spec"]["params"]["seed"]
    count, found = max(1, (one["unique_tokens"] - 1) // length), Counter[int]()
    for step in range(receipt["facts"]["steps"] * declared["batch_size"]):
        _, number = data.drawn(step, data.places([1.0]), seed)
        found[data.permuted(number % count, count, seed, number // count)] += 1
    return length, found


@pytest.mark.parametrize(("model", "of"), [("phase1", "corpus"), ("phase2", "best"), ("phase3", "synthetic")])
def test_reads_are_those_of_the_training(finished: Clone, model: str, of: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(finished.path)
    length, taken = windows_read(finished, model)
    given = settings.load(Path("params.yaml"))
    recipe, begin = Recipe(given, stages.graph(given)), 0
    for index in recipe.graph.job("pretrain", [model]).inputs[f"index:{of}"]:
        for row in read_rows(Path(index)):
            first = begin + row["offset"]
            expected = sum(taken[window] for window in range(first // length, (first + row["tokens"] - 1) // length + 1))
            told = windows.reads(recipe, model, of, index, row["offset"], row["tokens"])
            assert told is not None
            assert told.reads == expected
        begin += sum(row["tokens"] for row in read_rows(Path(index)))


def test_generated_code_is_followed_from_its_seed_to_the_models(finished: Clone) -> None:
    for decision in read_rows(finished.path / "synthetic/inspired/decisions.parquet"):
        steps = traced(finished, decision["key"])
        (asked,) = [row for row in rows(finished, "synthetic/inspired/raw") if row["key"] == decision["key"]]
        assert steps["seed"]["document"] == asked["document"]
        assert steps["refined"]["reason"] == decision["reason"]
        if decision["kept"]:
            assert [placed["artifact"] for placed in steps["tokens"]["sets"]] == ["tokens-synthetic"]
            assert list(steps["models"]["models"]) == ["phase3"]
            assert traced(finished, decision["id"]) == steps


def test_a_held_out_document_reaches_no_model(finished: Clone) -> None:
    held = json.loads((finished.path / "corpus/heldout.json").read_text())["repositories"]
    one = next(row for row in rows(finished, "corpus/decontaminated") if row["repo"] in held)
    steps = traced(finished, f"{one['repo']}/{one['path']}")
    assert steps["held out"]["heldout"]
    assert [placed["artifact"] for placed in steps["tokens"]["sets"]] == ["tokens-heldout-bpe"]
    assert steps["models"]["models"] == {}


def test_a_model_is_led_back_to_everything_it_learned_from(finished: Clone) -> None:
    steps = traced(finished, "models/phase3")
    assert list(steps)[:3] == ["models-phase3", "models-phase2", "models-phase1"]
    assert traced(finished, "models-phase3") == steps
    for name in ("corpus", "best", "synthetic"):
        index = rows(finished, f"tokens/{name}")
        told = steps[f"tokens-{name}"]
        assert (told["documents"], told["tokens"]) == (len(index), sum(row["tokens"] for row in index))
        assert told["repositories"] == len({row["repo"] for row in index})
        assert sum(one["documents"] for one in told["languages"].values()) == len(index)
    assert steps["quality-selections-best"]["by"] == "hqins"
    assert steps["synthetic-inspired-refined"]["seeds"] == "best"
    assert "tokens-random" not in steps


def test_it_knows_the_arms_of_an_overlay_and_what_is_gone(clone: Clone, tmp_path: Path) -> None:
    overlaid = clone.snow("params", "experiments/schedules.yaml").stdout
    (tmp_path / "overlaid.yaml").write_text(overlaid)
    arm = next(iter(yaml.safe_load((clone.path / "experiments/schedules.yaml").read_text())["models"]))
    assert "not made yet" in clone.snow("trace", "--params", str(tmp_path / "overlaid.yaml"), f"models/{arm}").stdout
    assert clone.snow("trace", f"models/{arm}", check=False).returncode == 1
    shutil.rmtree(clone.path / "quality/hqins/scores")
    one = rows(clone, "corpus/decontaminated")[0]
    assert "not yet: quality/hqins/scores/" in clone.snow("trace", one["id"]).stdout

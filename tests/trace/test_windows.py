"""Asking back what a training read is what the training takes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from snow import params as settings
from snow import sealed, stages
from snow.pretrain import data
from snow.trace import windows
from snow.trace.lookup import Recipe
from tests import stage_runs


@pytest.mark.parametrize("count", [1, 2, 3, 100, 257, 4096])
@pytest.mark.parametrize(("seed", "epoch"), [(0, 0), (7, 3)])
def test_the_position_of_a_window_is_where_the_training_takes_it(count: int, seed: int, epoch: int) -> None:
    for place in range(count):
        assert data.place_of(data.permuted(place, count, seed, epoch), count, seed, epoch) == place


def test_reads_of_a_mixture_are_those_of_its_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shares, steps = {"best": 0.7, "synthetic": 0.3}, 400
    params = stage_runs.params({"models.phase2.train_on": shares, "models.phase2.seed": 5})
    recipe, model = Recipe(params, stages.graph(params)), params.models["phase2"]
    pretrain = recipe.graph.job("pretrain", ["phase2"])
    sizes = {of: [1000 * (number + 3) for number in range(len(pretrain.inputs[f"index:{of}"]))] for of in shares}
    for of, tokens in sizes.items():
        for index, count in zip(pretrain.inputs[f"index:{of}"], tokens, strict=True):
            _record(recipe.graph.maker(index).receipt, {"tokens": count}, {})
    sets = {of: {"unique_tokens": sum(tokens)} for of, tokens in sizes.items()}
    _record(pretrain.receipt, {"steps": steps, "sets": sets}, settings.subset(params, pretrain.params.values()))

    counts = {of: (sum(tokens) - 1) // model.sequence_length for of, tokens in sizes.items()}
    taken: Counter[tuple[str, int]] = Counter()
    for place in range(steps * model.batch_size):
        part, number = data.drawn(place, data.places(list(shares.values())), 5)
        of = list(shares)[part]
        taken[of, data.permuted(number % counts[of], counts[of], 5, number // counts[of])] += 1
    for of, tokens in sizes.items():
        begin = 0
        for index, count in zip(pretrain.inputs[f"index:{of}"], tokens, strict=True):
            told = windows.reads(recipe, "phase2", of, index, 500, 700)
            holding = range((begin + 500) // 256, (begin + 1199) // 256 + 1)
            assert told == windows.Reads(len(holding), sum(taken[of, window] for window in holding))
            begin += count
    _record(recipe.graph.maker(pretrain.inputs["index:best"][0]).receipt, {"tokens": 1}, {})
    assert windows.reads(recipe, "phase2", "best", pretrain.inputs["index:best"][1], 500, 700) is None, "packed anew since"


def _record(receipt: str, facts: dict[str, Any], params: dict[str, Any]) -> None:
    Path(receipt).parent.mkdir(parents=True, exist_ok=True)
    told = {"stage": "", "instance": "", "key": "", "facts": facts, "spec": {"params": params}, "outputs": {}}
    Path(receipt).write_bytes(sealed.dump(told))

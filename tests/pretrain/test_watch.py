"""A step that goes wrong: training stops there and keeps the checkpoint before it, or leaves that batch out and says so."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from snow.errors import SnowError
from snow.pretrain import data as windows
from snow.pretrain import engine, loss
from snow.pretrain import train as loop
from snow.pretrain.watch import Watch, wrong_norm
from snow.tokens.stream import open_stream
from tests.pretrain.conftest import Finished
from tests.pretrain.phase_jobs import Data, digest, log, train
from tests.stage_runs import params

Harm = Callable[[torch.Tensor], torch.Tensor]
SPIKE = {"factor": 2.0, "steps": 5}
SKIP = {"on_nonfinite": "skip", "loss_spike": SPIKE}


def not_a_number(losses: torch.Tensor) -> torch.Tensor:
    return losses * math.nan


def spike(losses: torch.Tensor) -> torch.Tensor:
    return losses * 10


def overflow(losses: torch.Tensor) -> torch.Tensor:
    """A loss like any other whose gradient is not finite."""
    losses.register_hook(lambda gradient: gradient * math.inf)
    return losses


@pytest.fixture
def harm(data: Data, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[int, Harm]], None]:
    """Lets the second micro batch of some steps go wrong, whichever attempt comes to them."""
    part = windows.Part("corpus", open_stream(data.inputs["tokens:corpus"], data.inputs["index:corpus"]), 1.0)
    measured = loss._cross_entropy

    def install(harms: dict[int, Harm]) -> None:
        rows = {step: windows.batch([part], 64, params({}).seed, np.arange(step * 8 - 4, step * 8)) for step in harms}

        def losses(logits: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
            found = measured(logits, given)
            if not torch.is_grad_enabled():
                return found
            return next((harms[step](found) for step, each in rows.items() if np.array_equal(each, given.numpy())), found)

        monkeypatch.setattr(loss, "_cross_entropy", losses)

    return install


@pytest.mark.parametrize(
    ("step", "wrong", "sentence", "changes"),
    [
        (13, not_a_number, "the loss is nan", {}),
        (9, not_a_number, "the loss is nan", {"loss_spike": SPIKE}),
        (17, overflow, "the gradient is not finite", {}),
        (20, overflow, "the gradient is not finite", {}),  # its own checkpoint would hold it
        (14, spike, r"the loss, .*, is more than 2 times the median of the 5 before it", {"loss_spike": SPIKE}),
    ],
)
def test_training_stops_at_the_step_and_keeps_the_checkpoint_before(
    data: Data, finished: Finished, tmp_path: Path, harm: Any, step: int, wrong: Harm, sentence: str, changes: dict[str, Any]
) -> None:
    harm({step: wrong})
    with pytest.raises(SnowError, match=f"phase1: at step {step} {sentence}; the checkpoint before it is kept"):
        train(data, tmp_path, **changes)
    assert max(path.name for path in (tmp_path / "work/key").glob("step-*")) == f"step-{(step - 1) // 5 * 5:08}"
    harm({})  # as after a fault of the machine
    train(data, tmp_path, **changes)
    assert digest(tmp_path / "model") == digest(finished.model)


@pytest.mark.parametrize(
    ("zero_stage", "precision"), [(0, "fp32"), (1, "fp32"), (2, "fp32"), (3, "fp32"), (1, "bf16"), (2, "bf16"), (3, "bf16")]
)
def test_a_skipped_batch_leaves_the_weights_as_they_are_and_is_recorded(
    data: Data, tmp_path: Path, harm: Any, monkeypatch: pytest.MonkeyPatch, zero_stage: int, precision: str
) -> None:
    step, changed = loop._step, []

    def compared(running: Any, objective: Any, batch: Any, worker: engine.Worker, look: Any) -> Any:
        before = engine.weights(running, worker)
        taken = step(running, objective, batch, worker, look)
        after = engine.weights(running, worker)
        changed.append(any(not torch.equal(before[name], after[name]) for name in before))
        return taken

    monkeypatch.setattr(loop, "_step", compared)
    harm({6: not_a_number, 9: spike, 11: overflow})
    settings = {"zero_stage": zero_stage, "precision": precision, "offload_optimizer": False}
    facts = train(data, tmp_path, engine=settings, tokens=12 * 8 * 64, **SKIP)
    assert [number for number, moved in enumerate(changed, 1) if not moved] == [6, 9, 11]
    records = {record["step"]: record for record in log(tmp_path / "model")}
    assert facts["skipped_steps"] == {str(number): records[number]["skipped"] for number in (6, 9, 11)}
    assert records[6]["loss"] is None
    assert records[9]["loss"] > 20
    assert "more than 2 times the median" in records[9]["skipped"]
    assert records[11]["skipped"] == "the gradient is not finite"
    assert all(math.isfinite(record["loss"]) for number, record in records.items() if number != 6)


def test_nothing_is_skipped_where_nothing_is_wrong(data: Data, finished: Finished, tmp_path: Path) -> None:
    facts = train(data, tmp_path, **SKIP)
    assert facts == finished.facts | {"skipped_steps": {}}
    assert digest(tmp_path / "model") == digest(finished.model)


def test_an_interruption_changes_nothing_of_what_is_skipped(data: Data, tmp_path: Path, harm: Any) -> None:
    harm({4: not_a_number, 13: spike, 16: spike})
    facts = train(data, tmp_path / "whole", **SKIP)
    assert list(facts["skipped_steps"]) == ["4", "13", "16"]
    shutil.copytree(tmp_path / "whole/work", tmp_path / "again/work")
    shutil.rmtree(tmp_path / "again/work/key/step-00000020")
    assert train(data, tmp_path / "again", **SKIP) == facts
    assert digest(tmp_path / "again/model") == digest(tmp_path / "whole/model")


def test_a_model_that_is_lost_is_not_skipped_to_its_end(data: Data, tmp_path: Path, harm: Any) -> None:
    harm(dict.fromkeys(range(5, 25), not_a_number))
    with pytest.raises(SnowError, match="11 steps in a row were skipped, at the last the loss is nan"):
        train(data, tmp_path, **SKIP)


def test_the_median_is_of_the_steps_before_that_were_taken() -> None:
    look = Watch(params({"models.phase1": {"loss_spike": {"factor": 1.5, "steps": 3}}}).models["phase1"].loss_spike, [1.0, 3.0])
    assert look.wrong_loss(100.0) is None, "judged by less than was asked"
    look.keep(2.0)
    assert look.wrong_loss(3.0) is None
    assert look.wrong_loss(3.1) == "the loss, 3.1, is more than 1.5 times the median of the 3 before it"
    assert wrong_norm(-1.0) == wrong_norm(math.inf) == wrong_norm(math.nan)
    assert wrong_norm(0.0) is None

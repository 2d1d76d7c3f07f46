"""What changes a training's speed and memory and not its weights: layers computed again, and how many sequences fit at a time."""

from __future__ import annotations

import functools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from transformers import GPT2Config, GPT2LMHeadModel

from snow.arms import Engine
from snow.errors import SnowError
from snow.pretrain import kernels, loss, micro_batch
from snow.pretrain.engine import Worker
from tests.pretrain.conftest import Finished
from tests.pretrain.phase_jobs import MODEL, Data, train
from tests.stage_runs import params

ENGINE = MODEL["engine"]
CPU = torch.device("cpu")


def weights(model: Path) -> bytes:
    return (model / "model.safetensors").read_bytes()


@pytest.mark.parametrize("kind", ["selective", "full"])
def test_layers_that_are_computed_again_give_the_same_weights(data: Data, finished: Finished, tmp_path: Path, kind: str) -> None:
    train(data, tmp_path, engine=ENGINE | {"activation_checkpointing": kind})
    assert weights(tmp_path / "model") == weights(finished.model)


def test_on_a_processor_auto_is_a_fixed_number(data: Data, tmp_path: Path) -> None:
    for size in ("auto", micro_batch.ON_CPU):
        train(data, tmp_path / str(size), micro_batch_size=size)
    assert weights(tmp_path / "auto" / "model") == weights(tmp_path / str(micro_batch.ON_CPU) / "model")


@pytest.mark.parametrize(("kind", "again"), [("none", 0), ("selective", 2), ("full", 4)])
def test_so_many_layers_are_computed_again(kind: str, again: int) -> None:
    network = GPT2LMHeadModel(GPT2Config(vocab_size=50, n_embd=16, n_layer=4, n_head=2, n_positions=16))
    kernels.install(network, Engine(**ENGINE | {"activation_checkpointing": kind}), CPU)
    passes = []
    for layer in network.transformer.h:
        layer.ln_1.register_forward_pre_hook(lambda *_: passes.append(1))
    network.train()
    network(input_ids=torch.zeros((1, 8), dtype=torch.int64), use_cache=False).logits.sum().backward()
    assert len(passes) == 4 + again


def test_a_compiled_layer_keeps_its_weights_names() -> None:
    network = GPT2LMHeadModel(GPT2Config(vocab_size=50, n_embd=16, n_layer=2, n_head=2, n_positions=16))
    before = list(network.state_dict())
    kernels.install(network, Engine(**ENGINE | {"compile": True}), CPU)
    assert list(network.state_dict()) == before
    assert all(layer._compiled_call_impl is not None for layer in network.transformer.h)


def test_a_fused_loss_is_asked_for_the_next_token() -> None:
    given: dict[str, Any] = {}

    def forward(**named: Any) -> Any:
        given.update(named)
        return SimpleNamespace(loss=torch.tensor(1.5))

    network = torch.nn.Module()
    network.forward = functools.partial(forward)
    engine = lambda **named: network.forward(**named)  # noqa: E731
    engine.module = network
    rows = torch.arange(10).view(2, 5)
    assert loss.Objective(z_loss=1e-4).mean(engine, rows) == 1.5
    assert given["input_ids"].tolist() == [[0, 1, 2, 3], [5, 6, 7, 8]]
    assert given["shift_labels"].tolist() == [[1, 2, 3, 4], [6, 7, 8, 9]]
    assert given["lse_square_scale"] == 1e-4


def _model(**changes: Any) -> Any:
    return params({"models.phase1": MODEL | {"micro_batch_size": "auto", "batch_size": 24} | changes}).models["phase1"]


def _gpu(monkeypatch: pytest.MonkeyPatch, bytes_a_sequence: int, total: int) -> list[int]:
    """A GPU of `total` bytes whose passes take so many for each sequence; the sizes tried."""
    tried: list[int] = []

    def mean(objective: loss.Objective, engine: Any, rows: torch.Tensor) -> torch.Tensor:
        tried.append(len(rows))
        assert objective.document_end is None or (rows == objective.document_end).any(), "no document ends, so no mask is made"
        if len(rows) * bytes_a_sequence > total:
            raise torch.cuda.OutOfMemoryError
        return engine.module.weight.sum()

    monkeypatch.setattr(loss.Objective, "mean", mean)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(total_memory=total))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: None)
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda device: tried[-1] * bytes_a_sequence)
    return tried


def test_the_most_sequences_that_fit_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, worker = SimpleNamespace(module=torch.nn.Linear(4, 4, bias=False)), Worker(0, 2, CPU)
    tried = _gpu(monkeypatch, 10_000, 50_000)
    assert micro_batch._largest(engine, loss.Objective(), _model(), worker) == 4
    assert tried == [12, 6, 4], "a worker's half of the batch of 24, then its divisors"
    tried = _gpu(monkeypatch, 10_000, 40_050)
    masked = loss.Objective(document_end=7)
    assert micro_batch._largest(engine, masked, _model(), worker) == 3, "four leave no room for sums of the gradients"
    _gpu(monkeypatch, 10_000, 9_000)
    with pytest.raises(SnowError, match="not one sequence of 64 fits into the GPU's 0 GB; set activation_checkpointing to full"):
        micro_batch._largest(engine, loss.Objective(), _model(), worker)
    assert engine.module.weight.grad is None


def test_what_was_found_is_read_again_on_the_same_kind_of_gpu_alone(tmp_path: Path) -> None:
    path, here = tmp_path / micro_batch.FILE, {"gpu": "NVIDIA H200", "workers": 8}
    assert micro_batch._written(path, here) is None
    path.write_text('{"micro_batch_size": 4, "gpu": "NVIDIA H200", "workers": 8}')
    assert micro_batch._written(path, here) == 4
    assert micro_batch._written(path, here | {"workers": 4}) is None
    path.write_text('{"micro_batch')
    assert micro_batch._written(path, here) is None, "torn by a kill"


def test_auto_needs_passes_that_one_worker_can_make() -> None:
    with pytest.raises((SnowError, ValidationError), match="zero_stage 3 cannot; give a number"):
        _model(engine=ENGINE | {"zero_stage": 3})

"""What a training step goes down: of documents that do not see each other, with a z-loss, and which weights decay beside it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    BloomForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
)

from snow.errors import SnowError
from snow.pretrain import engine, loss, stage
from snow.pretrain.data import window_count, windows
from snow.tokens.stream import open_stream
from tests.pretrain.phase_jobs import Data, train
from tests.stage_runs import params

END = 0
SIZES: dict[str, Any] = {"vocab_size": 32, "bos_token_id": None, "eos_token_id": END, "pad_token_id": END}


def llama() -> PreTrainedModel:
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    return LlamaForCausalLM(LlamaConfig(**SIZES, **shape, max_position_embeddings=32, tie_word_embeddings=True))


def gpt2() -> PreTrainedModel:
    torch.manual_seed(0)
    return GPT2LMHeadModel(GPT2Config(**SIZES, n_embd=16, n_layer=2, n_head=2, n_positions=32, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0))


def test_positions_begin_again_after_the_end_of_a_document() -> None:
    tokens = torch.tensor([[5, 6, END, 7, END, END, 8], [1, 2, 3, 4, 5, 6, END]])
    assert loss.positions(tokens, END).tolist() == [[0, 1, 2, 0, 1, 0, 0], [0, 1, 2, 3, 4, 5, 6]]


@pytest.mark.parametrize("make", [llama, gpt2])
def test_a_document_is_predicted_as_if_it_stood_alone(make: Any) -> None:
    model, crossing, within = make(), loss.Objective(), loss.Objective(document_end=END)
    one, other = [5, 6, 7, 8, END], [9, 10, 11, 12, 13, END]
    both = within.token_losses(model, torch.tensor([one + other, other + one]))
    alone = {tuple(each): crossing.token_losses(model, torch.tensor([each]))[0] for each in (one, other)}
    for row, first, second in ((0, one, other), (1, other, one)):
        expected = torch.cat([alone[tuple(first)], both[row, len(first) - 1 : len(first)], alone[tuple(second)]])
        torch.testing.assert_close(both[row], expected)
    mixed = crossing.token_losses(model, torch.tensor([one + other]))[0]
    assert not torch.allclose(mixed[len(one) :], both[0][len(one) :], atol=1e-4), "attention crosses documents unless it is masked"


def test_z_loss_adds_the_squared_log_of_the_normalizer() -> None:
    model, rows = llama(), torch.tensor([[5, 6, 7, 8], [9, 10, 11, 12]])
    wrapped = lambda **named: model(**named)  # noqa: E731
    wrapped.module = model
    normalizer = model(input_ids=rows[:, :-1]).logits.float().logsumexp(-1)
    plain, added = loss.Objective().mean(wrapped, rows), loss.Objective(z_loss=0.5).mean(wrapped, rows)
    torch.testing.assert_close(added - plain, 0.5 * normalizer.square().mean())
    torch.testing.assert_close(loss.Objective(z_loss=0.5).token_losses(model, rows).mean(), plain)  # what is reported of held-out text


@pytest.mark.parametrize(
    ("choice", "kinds"), [("matrices", {"embedding", "matrix"}), ("layers", {"matrix"}), ("all", {"embedding", "matrix", "norm"})]
)
def test_weight_decay_is_on_what_the_params_name(choice: str, kinds: set[str]) -> None:
    model = llama()
    settings = params({"models.phase1.weight_decay_on": choice}).models["phase1"]
    optimizer = engine._optimizer(model, settings, SimpleNamespace(device=torch.device("cpu")))  # type: ignore[arg-type]
    names = {parameter: name for name, parameter in model.named_parameters()}
    kind = {name: "embedding" if "embed" in name else "norm" if "norm" in name else "matrix" for name in names.values()}
    decayed = {names[parameter] for group in optimizer.param_groups if group["weight_decay"] for parameter in group["params"]}
    assert decayed == {name for name, of in kind.items() if of in kinds}
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(names)


def test_held_out_text_is_measured_as_it_is_trained_on(data: Data, tmp_path: Path) -> None:
    facts = train(data, tmp_path, document_masks=True, z_loss=1.0e-3, tokens=2 * 8 * 64, validate_tokens=10**6)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    stream = open_stream(data.inputs["heldout"], data.inputs["heldout_index"])
    count = window_count(len(stream), 64)
    rows = torch.from_numpy(windows(stream, np.arange(count), 64))
    end = model.config.eos_token_id
    assert (rows == end).any()
    with torch.no_grad():
        masked, crossing = (loss.Objective(each).token_losses(model, rows).mean() for each in (end, None))
    assert abs(facts["heldout_loss"] - float(masked)) < 0.2 * abs(facts["heldout_loss"] - float(crossing))


def test_a_model_without_positions_has_no_document_masks(tmp_path: Path) -> None:
    BloomForCausalLM(BloomConfig(**SIZES, hidden_size=16, n_layer=1, n_head=2)).save_pretrained(tmp_path)
    settings = params({"models.phase2.document_masks": True}).models["phase2"]
    asked = {"inputs": {"model": (tmp_path,)}, "input": lambda _: tmp_path, "params": SimpleNamespace(model=settings)}
    with pytest.raises(SnowError, match=r"models\.phase2\.document_masks: bloom takes no positions; set it to false"):
        stage._start(SimpleNamespace(instance="phase2", **asked), 32, END)  # type: ignore[arg-type]

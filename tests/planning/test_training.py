"""Weights, speed and memory of a model's shape, against the paper's Table 1 and what was measured on an H200."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from snow import overlay
from snow import params as settings
from snow.params import Params
from snow.planning import training, units

from ..conftest import ROOT

BASE = settings.read(ROOT / "params.yaml")


def scale(name: str, **changes: object) -> Params:
    """The params of a scale, its phase 1 changed."""
    values = overlay.merged(BASE, settings.read(ROOT / "scales" / f"{name}.yaml"))
    return settings.check(overlay.merged(values, {"models": {"phase1": changes}}), name)


def test_the_papers_model_has_its_weights() -> None:
    assert training.parameters_of(scale("paper"), "phase1") == pytest.approx(1.364e9, rel=1e-3)


def test_the_speed_is_what_was_measured_on_an_h200() -> None:
    assert training.tokens_per_second(scale("paper"), "phase1", units.gpu("h200")) == pytest.approx(43_900, rel=0.01)


def test_between_the_models_that_were_measured_the_share_of_the_peak_grows() -> None:
    gpu = units.gpu("h100")
    shares = [training.utilisation(gpu, training.token_flop(scale(name), "phase1")) for name in ("small", "node", "paper")]
    assert gpu.utilisation[0][1] < shares[0] < shares[1] < shares[2] <= gpu.utilisation[-1][1]
    assert training.utilisation(gpu, 1e6) == gpu.utilisation[0][1], "what is smaller was not measured"


@pytest.mark.parametrize(("kernels", "sequences", "gigabytes"), [("torch", 1, 52.3), ("liger", 1, 41.3), ("liger", 4, 81.0)])
def test_the_papers_model_takes_the_memory_that_was_measured(kernels: str, sequences: int, gigabytes: float) -> None:
    engine = {"zero_stage": 1, "precision": "bf16", "offload_optimizer": False, "kernels": kernels}
    held = training.memory(scale("paper", micro_batch_size=sequences, engine=engine), "phase1", 1)
    assert held.states + held.activations == pytest.approx(gigabytes * 1e9, rel=0.03)


def test_layers_that_are_computed_again_keep_their_input_alone() -> None:
    kept = [
        training.memory(scale("paper", engine={"activation_checkpointing": kind}), "phase1", 1).activations
        for kind in ("none", "selective", "full")
    ]
    assert kept[0] > kept[1] > kept[2] > 0


def test_a_model_of_others_has_the_shape_of_its_files_or_the_size_in_its_name(tmp_path: Path) -> None:
    values = overlay.merged(BASE, settings.read(ROOT / "experiments/continue.yaml"))
    named = settings.check(values, "continue")
    assert training.parameters_of(named, "phase2") == training.parameters_of(named, "phase3") == 135e6
    assert training.token_flop(named, "phase2") == 6 * 135e6
    told = {"hidden_size": 64, "num_hidden_layers": 2, "intermediate_size": 128, "vocab_size": 300, "dtype": "bfloat16"}
    (tmp_path / "config.json").write_text(json.dumps(told))
    (tmp_path / "model.safetensors").write_bytes(bytes(2000))
    text = yaml.safe_dump(values).replace("HuggingFaceTB/SmolLM2-135M", str(tmp_path))
    here = settings.check(yaml.safe_load(text), "here")
    assert training.parameters_of(here, "phase3") == 1000
    sequence = here.models["phase3"].sequence_length
    assert training.token_flop(here, "phase3") == 6 * 1000 + 12 * 2 * 64 * sequence
    tokens = here.models["phase3"].micro_batch_size * sequence
    assert training.memory(here, "phase3", 1).activations == tokens * (2 * (20 * 64 + 8 * 128) * 2 + 300 * 16)


def test_each_zero_stage_divides_more_of_the_states() -> None:
    engines = [{"zero_stage": stage} for stage in (1, 2, 3)]
    held = [training.memory(scale("paper", micro_batch_size=1, engine=engine), "phase1", 8).states for engine in engines]
    assert held[0] > held[1] > held[2]
    assert held[2] == pytest.approx(20 * 1.364e9 / 8, rel=1e-3)
    alone = [training.memory(scale("paper", micro_batch_size=1, engine=engine), "phase1", 1).states for engine in engines]
    assert len(set(alone)) == 1

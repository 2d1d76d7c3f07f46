"""The linear head on the encoder's embedding, the annotator as a folder, and the score of a text's sections."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from snow.errors import SnowError
from snow.quality import encoder as encoders
from snow.quality.encoder import Encoder, Precision
from snow.quality.windows import Section, Window, all_sections

HEAD, DESCRIPTION = "head.safetensors", "annotator.json"


@dataclass(frozen=True)
class Head:
    """Logistic regression on embeddings: weight (size,) and bias (1,), float32."""

    weight: np.ndarray
    bias: np.ndarray

    def probability(self, embeddings: np.ndarray) -> np.ndarray:
        """P(high quality) in float64, of embeddings of shape (..., size)."""
        logits = embeddings.astype(np.float64) @ self.weight.astype(np.float64) + self.bias.astype(np.float64)
        return np.exp(-np.logaddexp(0.0, -logits))


def section_scores(
    encoder: Encoder,
    head: Head,
    texts: Sequence[str],
    sections: Sequence[Section],
    window_tokens: int,
    progress: Callable[[int], object] = lambda count: None,
) -> np.ndarray:
    """P(high quality) of shape (texts, sections). The sections of a text shorter than a window are the same window, scored once."""
    windows = all_sections(encoder.tokenizer, texts, sections, window_tokens)
    return window_scores(encoder, head, windows, len(sections), window_tokens, progress)


def window_scores(
    encoder: Encoder,
    head: Head,
    windows: Sequence[tuple[Window, ...]],
    sections: int,
    window_tokens: int,
    progress: Callable[[int], object] = lambda count: None,
) -> np.ndarray:
    """P(high quality) of the windows of each text, one a section: (texts, sections); equal windows are scored once."""
    flat = [window for row in windows for window in row]
    return head.probability(encoders.embed(encoder, flat, window_tokens, progress)).reshape(len(windows), sections)


def save(encoder: Encoder, head: Head, description: dict[str, Any], folder: Path) -> None:
    """Write the annotator: the encoder as a transformers folder, head.safetensors, and annotator.json."""
    encoders.save(encoder, folder)
    save_file({"weight": head.weight, "bias": head.bias}, folder / HEAD)
    (folder / HEAD).chmod(0o644)
    (folder / DESCRIPTION).write_text(json.dumps(description, indent=1, sort_keys=True) + "\n")


def load(folder: Path, threads: int, precision: Precision) -> tuple[Encoder, Head]:
    """Read what `save` wrote; SnowError when the folder is no annotator."""
    try:
        tensors = load_file(folder / HEAD)
    except OSError as error:
        raise SnowError(f"{folder} is no annotator: {HEAD} cannot be read; run `snow annotate` again") from error
    encoder = encoders.load(str(folder), None, threads, precision)
    return encoder, Head(tensors["weight"], tensors["bias"])

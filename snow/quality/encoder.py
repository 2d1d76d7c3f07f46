"""The annotator's encoder: loading one from a package, a folder or the hub, and embedding token windows with it.

A window's embedding does not depend on what else is embedded with it: rows are grouped by padded length, every batch of a
group has the same shape (the last one is filled up), and full windows, which need no attention mask, are never mixed with
padded ones. On one machine the embedding of a window is therefore always the same, bit for bit. Another processor, device or
number of threads may differ in the last bits.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer
from transformers.utils import logging as transformers_logging
from transformers.utils.hub import cached_file

from snow import hub
from snow.errors import SnowError
from snow.quality.windows import TOKEN, Window, length

Precision = Literal["fp32", "bf16"]
POOLING_FILE = "1_Pooling/config.json"  # sentence-transformers' layout; both MiniLM and arctic-embed have it
BATCH = {"cpu": 16, "cuda": 256}  # windows; a larger batch is no faster per window on either
BUCKETS = 4  # padded lengths are multiples of a quarter window


@dataclass(frozen=True)
class Encoder:
    """A BERT-style encoder in inference mode, its fast tokenizer without truncation, and how token vectors become one."""

    model: Any  # transformers.PreTrainedModel
    tokenizer: Any  # transformers.PreTrainedTokenizerFast
    pooling: Literal["cls", "mean"]
    device: torch.device

    @property
    def max_tokens(self) -> int:
        """The longest window the encoder has positions for, special tokens included."""
        return min(self.tokenizer.model_max_length, self.model.config.max_position_embeddings)

    @property
    def size(self) -> int:
        """The number of components of an embedding."""
        return self.model.config.hidden_size


def load(reference: str, revision: str | None, threads: int, precision: Precision = "fp32") -> Encoder:
    """The encoder a reference names (package:MODULE/..., folder, or hub name at `revision`), on the GPU when there is one.

    Pooling is what the model's `1_Pooling/config.json` says, else the mean. SnowError when the reference does not exist, the hub
    cannot be reached, or the model lacks what a window needs ([CLS] and [SEP], positions, a fast tokenizer).
    """
    os.environ.setdefault("RAYON_NUM_THREADS", str(threads))  # of the tokenizer
    torch.set_num_threads(threads)
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()  # a missing pooler is no news: it is not used
    name, commit = hub.source("model", reference, revision)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, revision=commit, use_fast=True)
        model = AutoModel.from_pretrained(name, revision=commit, dtype=dtype, attn_implementation="sdpa")
        pooling_file = cached_file(name, POOLING_FILE, revision=commit, _raise_exceptions_for_missing_entries=False)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise SnowError(f"the encoder {reference} cannot be loaded: {reason}; name a folder, a package or a reachable hub model") from error
    if not tokenizer.is_fast or tokenizer.cls_token_id is None or tokenizer.sep_token_id is None:
        raise SnowError(f"the encoder {reference} has no fast tokenizer with [CLS] and [SEP]; choose a BERT-style encoder")
    if not hasattr(model.config, "max_position_embeddings"):
        raise SnowError(f"the encoder {reference} does not say how many positions it has; choose a BERT-style encoder")
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    model.pooler = None  # BERT's own pooler is not used, and freshly initialised where the checkpoint has none
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if precision == "bf16" and device.type == "cpu" and not torch.cpu._is_amx_tile_supported():
        print("this processor multiplies bfloat16 slower than float32: precision fp32 would be quicker", file=sys.stderr)
    pooling = _pooling(Path(pooling_file), reference) if pooling_file else "mean"
    return Encoder(model.eval().to(device), tokenizer, pooling, device)


def save(encoder: Encoder, folder: Path) -> None:
    """Write the encoder as a transformers folder (safetensors, config, tokenizer) that `load` reads back with its pooling."""
    encoder.model.save_pretrained(folder)
    encoder.tokenizer.init_kwargs["local_files_only"] = False  # transformers notes whether this machine was offline
    encoder.tokenizer.save_pretrained(folder)
    pooling = folder / POOLING_FILE
    pooling.parent.mkdir()
    modes = {f"pooling_mode_{mode}": mode.startswith(encoder.pooling) for mode in ("cls_token", "mean_tokens")}
    pooling.write_text(json.dumps({"word_embedding_dimension": encoder.size, **modes}, indent=1) + "\n")
    for file in folder.rglob("*.safetensors"):
        file.chmod(file.stat().st_mode | stat.S_IRGRP | stat.S_IROTH)  # safetensors writes for the owner alone


def embed(
    encoder: Encoder, windows: Sequence[Window], window_tokens: int, progress: Callable[[int], object] = lambda count: None
) -> np.ndarray:
    """Unit embeddings as float32 of shape (windows, size); identical windows are computed once.

    `window_tokens` is the length of a full window, `progress` is told how many distinct windows were done. Memory is the
    embeddings and one batch.
    """
    distinct = list(dict.fromkeys(windows))
    embedded = np.empty((len(distinct), encoder.size), dtype=np.float32)
    under_way: list[tuple[list[int], torch.Tensor]] = []  # a GPU has its next batch before anybody waits for one

    def read(rows: list[int], vectors: torch.Tensor) -> None:
        embedded[rows] = vectors[: len(rows)].cpu().numpy()
        progress(len(rows))

    with torch.inference_mode():
        for rows, ids, mask in _batches(encoder, distinct, window_tokens):
            under_way.append((rows, forward(encoder, ids, mask)))
            if len(under_way) > 1:
                read(*under_way.pop(0))
        for last in under_way:
            read(*last)
    place = {window: row for row, window in enumerate(distinct)}
    return embedded[[place[window] for window in windows]]


def forward(encoder: Encoder, ids: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Unit float32 embeddings (rows, size) of padded ids (rows, length); `mask` is 1 at tokens, or None when nothing is padded."""
    hidden = encoder.model(input_ids=ids, attention_mask=mask).last_hidden_state
    if encoder.pooling == "cls":
        pooled = hidden[:, 0]
    elif mask is None:
        pooled = hidden.float().mean(dim=1)
    else:
        pooled = (hidden.float() * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
    return torch.nn.functional.normalize(pooled.float(), dim=-1)


def pad(encoder: Encoder, windows: Sequence[Window], length: int) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Ids and mask of shape (windows, length) on the encoder's device; the mask is None when every window fills `length`."""
    ids = np.full((len(windows), length), encoder.tokenizer.pad_token_id or 0)
    mask = np.zeros((len(windows), length), dtype=np.int64)
    for row, window in enumerate(windows):
        tokens = np.frombuffer(window, dtype=TOKEN)
        ids[row, : len(tokens)], mask[row, : len(tokens)] = tokens, 1
    return _placed(ids, encoder.device), None if mask.all() else _placed(mask, encoder.device)


def _placed(values: np.ndarray, device: torch.device) -> torch.Tensor:
    """On the device, which copies it by itself while it computes."""
    tensor = torch.from_numpy(values)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor


def _batches(encoder: Encoder, windows: Sequence[Window], full: int) -> Iterator[tuple[list[int], torch.Tensor, torch.Tensor | None]]:
    """(rows, ids, mask), longest first; ids may have more rows than `rows`: repeats of the last, so that all shapes are equal."""
    step = -(-full // BUCKETS)
    groups: dict[tuple[int, bool], list[int]] = {}  # (padded length, whether anything is padded)
    for row, window in enumerate(windows):
        size = length(window)
        # A padded row has at least one pad, so that no batch of its group goes without a mask by chance.
        key = (full, False) if size == full else (min((size // step + 1) * step, full), True)
        groups.setdefault(key, []).append(row)
    count = BATCH[encoder.device.type]
    for (padded, _), members in sorted(groups.items(), reverse=True):
        for start in range(0, len(members), count):
            rows = members[start : start + count]
            filled = [windows[row] for row in rows] + [windows[rows[-1]]] * (count - len(rows))
            yield rows, *pad(encoder, filled, padded)


def _pooling(file: Path, reference: str) -> Literal["cls", "mean"]:
    """The pooling a sentence-transformers configuration names; SnowError when it is neither [CLS] nor the mean."""
    modes = json.loads(file.read_text())
    chosen = sorted(key for key, value in modes.items() if key.startswith("pooling_mode") and value)
    if chosen == ["pooling_mode_cls_token"] or modes.get("pooling_mode") == "cls":
        return "cls"
    if chosen == ["pooling_mode_mean_tokens"] or modes.get("pooling_mode") == "mean":
        return "mean"
    raise SnowError(f"the encoder {reference} pools by {', '.join(chosen) or 'nothing known'}; snow knows [CLS] and mean pooling")

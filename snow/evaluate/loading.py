"""A model folder as the evaluation uses it: weights in float32 on the GPU when there is one, and its tokenizer.

On a CPU each operation runs in one thread and whole batches run beside each other: small models gain more by it, waiting
threads do not burn a shared machine, and no result depends on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from snow.errors import SnowError
from snow.tokens import vocabulary

Batch = TypeVar("Batch")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Checkpoint:
    """A causal LM in evaluation mode, its tokenizer, and how many positions it was made for (None: no limit stated)."""

    model: Any
    tokenizer: Any  # decodes what continues a prompt
    device: torch.device
    positions: int | None
    workers: int  # batches at a time
    start: tuple[int, ...]  # the ids that its tokenizer sets before a text; a model of the recipe has none
    continuing: Tokenizer

    def encode(self, text: str) -> list[int]:
        """The ids of a text from its beginning. Special tokens' names are text."""
        return [*self.start, *self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]]

    def encode_more(self, text: str) -> list[int]:
        """The ids of a text that continues another."""
        return self.continuing.encode(text, add_special_tokens=False).ids

    def map(self, function: Callable[[Batch], Result], batches: Iterable[Batch]) -> Iterator[Result]:
        """`function` of every batch, in order. Each call sees the model alone with its tensors; autograd is off."""

        def call(batch: Batch) -> Result:
            with torch.inference_mode():  # a setting of each thread
                return function(batch)

        with ThreadPoolExecutor(self.workers) as pool:
            yield from pool.map(call, batches)


def load(folder: Path, threads: int) -> Checkpoint:
    """Read a Hugging Face checkpoint. float32 whatever it was stored in: rounding that depends on the batch is then too small to matter."""
    transformers_logging.disable_progress_bar()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu":
        torch.set_num_threads(1)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    except (OSError, ValueError) as error:
        raise SnowError(
            f"{folder} is not a Hugging Face model folder ({' '.join(str(error).split())[:200]}); build it with `snow pretrain`"
        ) from error
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    backend = tokenizer.backend_tokenizer
    start, continuing = tuple(vocabulary.start_ids(backend)), vocabulary.continuing(backend)
    backend.decoder = continuing.decoder
    return Checkpoint(model.to(device).eval(), tokenizer, device, positions, threads if device.type == "cpu" else 1, start, continuing)

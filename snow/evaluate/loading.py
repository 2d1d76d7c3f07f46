"""A model folder as the evaluation uses it: weights in float32 on the GPU when there is one, and its tokenizer.

On a CPU each operation runs in one thread and whole batches run beside each other: small models gain more by it, waiting
threads do not burn a shared machine, and no result depends on the number of threads.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from snow.errors import SnowError
from snow.tokens import vocabulary

Batch = TypeVar("Batch")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Encoder:
    """A model's tokenizer, and how many positions the model was made for (None: no limit stated)."""

    tokenizer: Any  # decodes what continues a prompt
    positions: int | None
    start: tuple[int, ...]  # the ids that its tokenizer sets before a text; a model of the recipe has none
    continuing: Tokenizer

    def encode(self, text: str) -> list[int]:
        """The ids of a text from its beginning. Special tokens' names are text."""
        return [*self.start, *self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]]

    def encode_more(self, text: str) -> list[int]:
        """The ids of a text that continues another."""
        return self.continuing.encode(text, add_special_tokens=False).ids

    def encode_chat(self, conversation: Sequence[Mapping[str, str]]) -> list[int]:
        """The ids of a conversation whose last message is begun and not ended, by the tokenizer's own template."""
        if not getattr(self.tokenizer, "chat_template", None):
            raise SnowError("the model's tokenizer has no chat template; set evaluation.completion.prompts to base")
        return self.tokenizer.apply_chat_template(conversation, continue_final_message=True, return_dict=True)["input_ids"]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, special tokens left out."""
        return self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)

    def special_ids(self) -> frozenset[int]:
        """The ids that stand for no text: the roles the tokenizer names and the added tokens marked special."""
        added = (index for index, token in self.tokenizer.added_tokens_decoder.items() if token.special)
        return frozenset((*self.tokenizer.all_special_ids, *added))


@dataclass(frozen=True)
class Checkpoint(Encoder):
    """A causal LM in evaluation mode with its tokenizer."""

    model: Any
    device: torch.device
    workers: int  # batches at a time

    def map(self, function: Callable[[Batch], Result], batches: Iterable[Batch]) -> Iterator[Result]:
        """`function` of every batch, in order. Each call sees the model alone with its tensors; autograd is off."""

        def call(batch: Batch) -> Result:
            with torch.inference_mode():  # a setting of each thread
                return function(batch)

        with ThreadPoolExecutor(self.workers) as pool:
            yield from pool.map(call, batches)


def load_encoder(folder: Path) -> Encoder:
    """Of a Hugging Face model folder what it takes to write its prompts."""
    with _readable(folder):
        return _encoder(AutoTokenizer.from_pretrained(folder), AutoConfig.from_pretrained(folder))


def load(folder: Path, threads: int) -> Checkpoint:
    """Read a Hugging Face checkpoint. float32 whatever it was stored in: rounding that depends on the batch is then too small to matter."""
    transformers_logging.disable_progress_bar()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu":
        torch.set_num_threads(1)
    with _readable(folder):
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    read = _encoder(tokenizer, model.config)
    workers = threads if device.type == "cpu" else 1
    return Checkpoint(read.tokenizer, read.positions, read.start, read.continuing, model.to(device).eval(), device, workers)


def _encoder(tokenizer: Any, config: Any) -> Encoder:
    backend = tokenizer.backend_tokenizer
    start, continuing = tuple(vocabulary.start_ids(backend)), vocabulary.continuing(backend)
    backend.decoder = continuing.decoder
    return Encoder(tokenizer, getattr(config.get_text_config(), "max_position_embeddings", None), start, continuing)


@contextlib.contextmanager
def _readable(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        raise SnowError(
            f"{folder} is not a Hugging Face model folder ({' '.join(str(error).split())[:200]}); build it with `snow pretrain`"
        ) from error

"""Stage `obtain`: a model of others as a folder like those that `pretrain` makes, to be measured beside them.

Weights are kept in the precision they were published in, as safetensors. Code that comes with a model is not executed, so its
architecture must be one that transformers has.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Any, Protocol

from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from snow import hub
from snow.errors import SnowError

if TYPE_CHECKING:
    from snow import arms
    from snow.job import Job


class Params(Protocol):
    model: arms.Compared


def run(job: Job[Params]) -> dict[str, Any]:
    """Write `model`: config, weights and tokenizer. SnowError when transformers cannot load them, or some of the weights are missing."""
    transformers_logging.disable_progress_bar()
    named = job.params.model.pretrained
    source, commit = hub.source("model", named, job.params.model.revision)
    given: dict[str, Any] = {"revision": commit, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, **given)
        model, found = AutoModelForCausalLM.from_pretrained(source, dtype="auto", output_loading_info=True, **given)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise SnowError(f"{named}: no causal language model could be loaded ({reason}); correct the name, or fetch it first") from error
    if missing := sorted(found["missing_keys"]):
        raise SnowError(f"{named} has no weights for {len(missing)} tensors, such as {missing[0]}; name a causal language model")
    if getattr(tokenizer, "backend_tokenizer", None) is None:
        raise SnowError(f"{named} has no fast tokenizer; choose a model with tokenizer.json")
    folder = job.output("model")
    model.save_pretrained(folder)
    tokenizer.init_kwargs |= {"local_files_only": False, "is_local": False}  # transformers notes where it had the files from
    tokenizer.save_pretrained(folder)
    for file in folder.rglob("*.safetensors"):
        file.chmod(file.stat().st_mode | stat.S_IRGRP | stat.S_IROTH)  # safetensors writes for the owner alone
    return {
        "pretrained": named,
        "commit": commit,
        "architecture": type(model).__name__,
        "parameters": model.num_parameters(),
        "dtype": str(model.dtype).removeprefix("torch."),
        "vocab_size": model.config.get_text_config().vocab_size,
    }

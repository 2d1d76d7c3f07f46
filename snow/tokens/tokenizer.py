"""`tokenizer`: a byte-level BPE trained on a sample of the corpus, or a pretrained one, saved in one form either way.

The saved folder has `tokenizer.json` and `tokenizer_config.json`, adds no token on its own (no BOS), and ends and pads
sequences with `<|endoftext|>`; transformers' AutoTokenizer and vLLM load it.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow.compute as pc
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from snow import hub
from snow.corpus.heldout import Heldout, read_heldout
from snow.errors import SnowError
from snow.tables import read_batches, read_tuples
from snow.tokens import vocabulary
from snow.tokens.gguf import byte_level, read_gguf
from snow.tokens.seeded import SPAN, draw
from snow.tokens.special import END

if TYPE_CHECKING:
    from snow import arms
    from snow.job import Job


def sample(documents: Iterable[tuple[Any, ...]], heldout: Heldout, share: float, seed: int) -> Iterator[str]:
    """Contents of a `share` of (id, repository, path, content): drawn by id, so languages keep their proportions; held-out ones never."""
    for identifier, repo, path, content in documents:
        if not heldout.holds(repo, path) and draw(seed, "tokenizer", identifier) < share * SPAN:
            yield content


def train(texts: Iterable[str], vocab_size: int, special_tokens: Sequence[str]) -> Tokenizer:
    """Byte-level BPE with StarCoder's split: GPT-2's pattern and every digit on its own. Equal texts in any order give equal bytes."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = byte_level(single_digits=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(special_tokens),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def pretrained(reference: str, revision: str | None) -> Tokenizer:
    """The backend of a hub name, a folder, a GGUF file or package:...; SnowError when there is none or it is not byte-level."""
    source, commit = hub.source("model", reference, revision)
    if source.endswith(".gguf") and Path(source).exists():
        return read_gguf(Path(source))
    from transformers import AutoTokenizer  # which imports torch, and is not needed where a tokenizer is trained

    try:
        backend = getattr(AutoTokenizer.from_pretrained(source, revision=commit), "backend_tokenizer", None)
    except (OSError, ValueError) as error:
        raise SnowError(f"pretrained {reference}: no tokenizer could be loaded ({' '.join(str(error).split())[:200]})") from None
    if backend is None:
        raise SnowError(f"pretrained {reference} has no fast tokenizer; choose one with tokenizer.json")
    tokenizer = Tokenizer.from_str(backend.to_str())
    if not vocabulary.is_byte_level(tokenizer):
        raise SnowError(f"pretrained {reference} is not a byte-level BPE; choose one like GPT-2's or StarCoder's")
    return tokenizer


def save(tokenizer: Tokenizer, special_tokens: Sequence[str], folder: Path) -> Tokenizer:
    """Write the folder, with the special tokens it lacks added and without anything added to a text; returns what was written.

    What a post-processor would add is left out because `pack` writes every special token itself.
    """
    missing = [token for token in special_tokens if tokenizer.token_to_id(token) is None]
    if missing:
        tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in missing])
    plain = json.loads(tokenizer.to_str())
    plain["post_processor"] = plain["truncation"] = plain["padding"] = None
    tokenizer = Tokenizer.from_str(json.dumps(plain))
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, pad_token=END, clean_up_tokenization_spaces=False)
    wrapped.save_pretrained(folder)
    config = folder / "tokenizer_config.json"
    values = json.loads(config.read_text()) | {"tokenizer_class": "PreTrainedTokenizerFast"}  # transformers 4 knows no newer name
    config.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n")
    return tokenizer


class Params(Protocol):
    seed: int
    tokenizer: arms.Tokenizer


def run(job: Job[Params]) -> dict[str, Any]:
    """documents=[shards], heldout -> tokenizer=folder."""
    os.environ["RAYON_NUM_THREADS"], os.environ["TOKENIZERS_PARALLELISM"] = str(job.threads), "true"
    settings = job.params.tokenizer
    if END not in settings.special_tokens:
        raise SnowError(f"tokenizers.{job.instance}.special_tokens must contain {END}, which closes every document")
    facts: dict[str, Any] = {"special_tokens": len(settings.special_tokens)}
    if settings.pretrained is not None:
        tokenizer = pretrained(settings.pretrained, settings.revision)
        facts["pretrained"] = settings.pretrained
    else:
        shards, heldout = job.inputs["documents"], read_heldout(job.input("heldout"))
        corpus = sum(pc.sum(batch.column(0)).as_py() or 0 for path in shards for batch in read_batches(path, ["size"]))
        share = min(1.0, settings.sample_bytes / max(corpus, 1))
        print(f"tokenizer: training on {min(corpus, settings.sample_bytes) / 1e6:.1f} MB of {corpus / 1e6:.1f} MB", file=sys.stderr)
        documents = (row for path in shards for row in read_tuples(path, ["id", "repo", "path", "content"]))
        counts = Counter(sample_documents=0, sample_bytes=0)
        texts = _counted(sample(documents, heldout, share, job.params.seed), counts)
        tokenizer = train(texts, settings.vocab_size, settings.special_tokens)
        if not counts["sample_documents"]:
            raise SnowError("the corpus has no document to train a tokenizer on; raise sample_bytes or add sources")
        facts |= counts
    tokenizer = save(tokenizer, settings.special_tokens, job.output("tokenizer"))
    return facts | {"vocab_size": vocabulary.size(tokenizer)}


def _counted(texts: Iterable[str], counts: Counter[str]) -> Iterator[str]:
    for text in texts:
        counts.update(sample_documents=1, sample_bytes=len(text.encode()))
        yield text

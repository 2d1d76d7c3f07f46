"""From a document to the pieces of its token sequence: text to encode, and special tokens written between the texts."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer

from snow.tokens import special, vocabulary
from snow.tokens.seeded import draw

Segment = str | int  # text, or the id of a special token


@dataclass(frozen=True)
class Layout:
    """How a document is written: the rates are of documents and of the ones rearranged for infilling, `start` and `end` the ids
    before and after every one."""

    repo_context: bool
    fim_rate: float
    fim_spm_rate: float
    seed: int
    end: int
    start: tuple[int, ...] = ()


def writer(tokenizer: Tokenizer, layout: Layout) -> Callable[[str, str, str, str], list[Segment]]:
    """(id, repository, path, content) -> segments. SnowError when the tokenizer lacks a special token the layout needs.

    With context a document is `<repo_name>REPO<file_sep>PATH newline CONTENT<|endoftext|>` [StarCoder2], else content and end.
    Infilling cuts the content at two random characters and writes prefix-suffix-middle or, at `fim_spm_rate`,
    suffix-prefix-middle in SantaCoder's joint form; the cuts depend on the seed and the document's id alone.
    """
    needed = (*(special.CONTEXT if layout.repo_context else ()), *(special.FIM if layout.fim_rate else ()))
    ids = {token: vocabulary.token_id(tokenizer, token) for token in needed}

    def infilling(identifier: str, content: str) -> list[Segment]:
        chance = random.Random(draw(layout.seed, "fim", identifier))
        if chance.random() >= layout.fim_rate:
            return [content]
        suffix_first = chance.random() < layout.fim_spm_rate
        begin, end = sorted(chance.randrange(len(content) + 1) for _ in range(2))
        prefix, middle, suffix = content[:begin], content[begin:end], content[end:]
        before, between, after = (ids[token] for token in (special.FIM_PREFIX, special.FIM_MIDDLE, special.FIM_SUFFIX))
        if suffix_first:
            return [before, after, suffix, between, prefix, middle]
        return [before, prefix, after, suffix, between, middle]

    def write(identifier: str, repo: str, path: str, content: str) -> list[Segment]:
        body = infilling(identifier, content) if layout.fim_rate else [content]
        if not layout.repo_context:
            return [*layout.start, *body, layout.end]
        heading: list[Segment] = [*layout.start, ids[special.REPOSITORY], repo, ids[special.FILE]]
        if isinstance(body[0], str):  # one text, because that is how a reader would encode path and content
            return [*heading, f"{path}\n{body[0]}", *body[1:], layout.end]
        return [*heading, f"{path}\n", *body, layout.end]

    return write


def encode(
    documents: Iterable[Sequence[Segment]], tokenizer: Tokenizer, dtype: np.dtype, batch_bytes: int = 4 << 20
) -> Iterator[np.ndarray]:
    """Token arrays, one per document in order; memory is one batch of about `batch_bytes` characters, encoded in parallel."""
    batch: list[Sequence[Segment]] = []
    characters = 0
    for document in documents:
        batch.append(document)
        characters += sum(len(segment) for segment in document if isinstance(segment, str))
        if characters >= batch_bytes:
            yield from _encode_batch(batch, tokenizer, dtype)
            batch, characters = [], 0
    yield from _encode_batch(batch, tokenizer, dtype)


def _encode_batch(batch: list[Sequence[Segment]], tokenizer: Tokenizer, dtype: np.dtype) -> Iterator[np.ndarray]:
    texts = [segment for document in batch for segment in document if isinstance(segment, str)]
    encoded = iter(tokenizer.encode_batch_fast(texts, add_special_tokens=False))
    for document in batch:
        pieces = [next(encoded).ids if isinstance(segment, str) else [segment] for segment in document]
        yield np.concatenate([np.asarray(piece, dtype) for piece in pieces])

"""The code in a model's answer, and what can be said of it alone."""

from __future__ import annotations

import re
from dataclasses import dataclass

from snow.corpus.letters import words
from snow.synthesis import markup


@dataclass(frozen=True)
class Code:
    """Code out of an answer: its text ends in one newline unless it is empty."""

    text: str
    language: str
    fenced: bool  # the answer marked it
    reasoned: bool = False  # reasoning stood before it
    unanswered: bool = False  # there was nothing but reasoning
    rendered: bool = False  # it was a notebook, of which this is the script


def code_of(answer: str, language: str, cut: bool) -> Code:
    """The code in an answer, whatever reasoning it begins with; without a fenced block all of it.

    Of several blocks it is one that names `language`, else one that names nothing, else one of another language it knows, which
    then is the code's, else any; among those one that parses before one that does not, and the longest. Of a `cut` answer, one
    that the token limit ended, the last line goes when the cut is inside the code.
    """
    answer = re.sub(r"\r\n?", "\n", answer)
    rest = markup.without_reasoning(answer)
    if rest is None:
        return Code("", language, fenced=False, reasoned=True, unanswered=True)
    reasoned = len(rest) < len(answer)
    found = markup.blocks(rest, language)
    found = [block for block in found if block.text.strip()] or found
    if not found:
        return Code(_trim(rest, cut), language, fenced=False, reasoned=reasoned)
    best = max(found, key=lambda block: (_rank(block, language), block.parses is not False, len(block.text)))
    return Code(_trim(best.text.removesuffix("\n"), cut and best.open), best.language or language, fenced=True, reasoned=reasoned)


def _rank(block: markup.Block, language: str) -> int:
    if block.language:
        return 3 if block.language == language else 1
    return 0 if block.info else 2


def _trim(text: str, cut: bool) -> str:
    if cut:
        text = text.rpartition("\n")[0]
    lines = [line.rstrip() for line in text.strip("\n").split("\n")]
    return "\n".join(lines).strip("\n") + "\n" if any(lines) else ""


def repeated_lines(code: str) -> float:
    """The share of lines that repeat an earlier one, but for indentation; lines without a letter or digit do not count."""
    lines = [line.strip() for line in code.split("\n") if any(character.isalnum() for character in line)]
    return 1 - len(set(lines)) / len(lines) if lines else 0.0


def overlap(code: str, seed: str, ngram: int) -> float:
    """The share of the code's token shingles that are also the seed's; 0 when either has fewer tokens than a shingle."""
    own, other = _shingles(code, ngram), _shingles(seed, ngram)
    return len(own & other) / len(own) if own else 0.0


def _shingles(text: str, ngram: int) -> set[tuple[str, ...]]:
    tokens = words(text)  # as in snow.corpus.minhash
    return {tuple(tokens[start : start + ngram]) for start in range(len(tokens) - ngram + 1)}

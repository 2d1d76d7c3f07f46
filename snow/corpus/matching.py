"""Finding known texts inside documents: whitespace-free substrings, word n-grams, and short texts as whole token sequences.

One algorithm serves the three: a document becomes a sequence of 64-bit symbols (its non-space bytes, its words, its tokens), a
hash rolls over a window of them, a bitmap rejects nearly every position, and what is left is compared symbol by symbol with the
needles that begin with that window. The cost of a document does not grow with the number of texts.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from snow.corpus.compiled import compiled

if TYPE_CHECKING:
    from snow.schema import Decontamination

Symbols = npt.NDArray[np.uint64]
Method = Literal["substring", "ngram", "short", "tokens"]  # the last is `snow.corpus.renamed`'s
EXACT: tuple[Method, ...] = ("substring", "ngram", "short")

FNV_OFFSET, FNV_PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)  # FNV-1a, 64 bits
MIX = np.uint64(0xFF51AFD7ED558CCD)  # MurmurHash3's 64-bit finaliser, first multiplier
BASE = np.uint64(0x9E3779B97F4A7C15)  # of the rolling hash: odd, 2^64 / golden ratio
SPACE, MARK, WORD = 0, 1, 2  # classes of bytes; bytes above 127 are letters, `normalise` leaves no other non-ASCII character
CLASSES = np.array([SPACE if c <= 32 or c == 127 else WORD if c > 127 or chr(c).isalnum() else MARK for c in range(256)], np.uint8)
CLASSES[ord("_")] = WORD
NON_ASCII_MARK = re.compile(r"[^\x00-\x7f\w]+")  # what decides fastest stands first
# What is not seen and means nothing (Unicode's Default_Ignorable_Code_Point): soft hyphens, zero-width spaces and joiners, bidirectional
# controls, byte order marks, variation selectors, fillers, tags.
INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)
WORDS, TOKENS = re.compile(r"\w+"), re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True)
class Text:
    """A text to look for, and the task of a benchmark suite it belongs to."""

    suite: str
    task_id: str
    text: str


@dataclass(frozen=True)
class Match:
    """What a document has in common with one task by one method: the first matched text, its SHA-256, and how many matched.

    The hash is over the normalised text: without whitespace for `substring`, single spaces between words or tokens for `ngram` and `short`.
    """

    suite: str
    task_id: str
    method: Method
    text_sha256: str
    matches: int
    text: str


@dataclass(frozen=True)
class _Needles:
    """The needles of one method, ordered by the hash of their first `window` symbols.

    Needle i is symbols[starts[i]:starts[i + 1]]; `texts[i]` is how it reads and `tasks[i]` which tasks it comes from.
    """

    method: Method
    window: int
    anchors: Symbols
    bitmap: npt.NDArray[np.uint8]
    symbols: Symbols
    starts: npt.NDArray[np.int64]
    tasks: tuple[tuple[tuple[str, str], ...], ...]
    texts: tuple[str, ...]


Index = tuple[_Needles, ...]


def normalise(text: str) -> str:
    """Case-folded, and every run of non-ASCII characters that are not letters or digits (curly quotes, no-break spaces) a space, and every
    `#`: what is commented out, or is a notebook's Markdown, is there all the same.

    The forms that Unicode knows of one text come out alike (NFC, NFD, full-width letters, ligatures), with or without what is not
    seen: NFKC_Casefold of the Unicode Standard, 3.13.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", INVISIBLE.sub("", text)).casefold())
        text = NON_ASCII_MARK.sub(" ", text)
    return text.casefold().replace("#", " ")


def telling(words: Sequence[str], distinct: int) -> bool:
    """Whether an n-gram can prove anything: at least `distinct` different words of two or more characters that are no numbers.

    Number tables, alphabets and `for i in range(n): for j in range(n)` fail; prose and ordinary statements pass.
    """
    return len({word for word in words if len(word) > 1 and not word.isdecimal()}) >= distinct


def build(texts: Iterable[Text], rules: Decontamination) -> Index:
    """An index of `texts`. A text yields needles by every rule that applies to it:

    substring: the text without whitespace, when that is at least `substring_min_chars` characters (BigCode, in StarCoder2's form);
    ngram: every `ngram` consecutive words that are `telling` (DeepSeek-Coder, Qwen2.5-Coder);
    short: a text too short for the substring rule, as a whole sequence of words and marks, when it has `short_ngram` words.
    Texts equal to one of `allow` but for whitespace and case yield nothing.
    """
    allowed = {_squeeze(normalise(text)) for text in rules.allow}
    found: dict[Method, dict[str, dict[tuple[str, str], None]]] = {method: {} for method in EXACT}
    for text in texts:
        normal = normalise(text.text)
        squeezed, words = _squeeze(normal), WORDS.findall(normal)
        if squeezed in allowed:
            continue
        task = (text.suite, text.task_id)
        if len(squeezed) >= rules.substring_min_chars:
            found["substring"].setdefault(squeezed, {})[task] = None
        elif len(words) >= rules.short_ngram:
            found["short"].setdefault(normal, {})[task] = None
        for start in range(len(words) - rules.ngram + 1):
            gram = words[start : start + rules.ngram]
            if telling(gram, rules.distinct_words):
                found["ngram"].setdefault(" ".join(gram), {})[task] = None
    return tuple(_needles(method, owners) for method, owners in found.items() if owners)


def find(index: Index, text: str) -> list[Match]:
    """What `text` shares with the indexed texts, one Match per (suite, task, method), in that order."""
    sequences = split(normalise(text))
    first: dict[tuple[str, str, Method], str] = {}
    counts: dict[tuple[str, str, Method], int] = {}
    for group in index:
        for needle in _scan_group(sequences[group.method], group):
            for suite, task in group.tasks[needle]:
                key = (suite, task, group.method)
                first.setdefault(key, group.texts[needle])
                counts[key] = counts.get(key, 0) + 1
    return [Match(*key, _hash(key[2], first[key]), counts[key], first[key]) for key in sorted(counts)]


def _squeeze(text: str) -> str:
    return "".join(text.split())


def split(text: str) -> dict[Method, Symbols]:
    """A normalised text as each method compares it: as non-space bytes, words, and tokens (words and single marks)."""
    data = np.frombuffer(text.encode(), np.uint8)
    sequences = [np.empty(len(data), np.uint64) for _ in EXACT]
    lengths = _split(data, CLASSES, *sequences)
    return {method: sequence[:length] for method, sequence, length in zip(EXACT, sequences, lengths, strict=True)}


def begins(text: str, method: Method) -> npt.NDArray[np.intp]:
    """At which byte of a normalised text each symbol of a method begins."""
    classes = CLASSES[np.frombuffer(text.encode(), np.uint8)]
    if method == "substring":
        return np.flatnonzero(classes != SPACE)
    words = (classes == WORD) & np.concatenate([[True], classes[:-1] != WORD])[: len(classes)]
    return np.flatnonzero(words | (classes == MARK) if method == "short" else words)


def _needles(method: Method, owners: dict[str, dict[tuple[str, str], None]]) -> _Needles:
    texts = list(owners)
    if method == "ngram":  # all of one length, so one call splits them all
        sequences = list(split("\n".join(texts))[method].reshape(len(texts), -1))
    else:
        sequences = [split(text)[method] for text in texts]
    window = min(len(sequence) for sequence in sequences)
    anchors = np.zeros(len(texts), np.uint64)
    for symbols in np.stack([sequence[:window] for sequence in sequences]).T:
        anchors = anchors * BASE + symbols
    order = np.argsort(anchors, kind="stable")
    return _Needles(
        method=method,
        window=window,
        anchors=anchors[order],
        bitmap=bitmap(anchors),
        symbols=np.concatenate([sequences[i] for i in order]),
        starts=np.cumsum([0, *(len(sequences[i]) for i in order)]).astype(np.int64),
        tasks=tuple(tuple(owners[texts[i]]) for i in order),
        texts=tuple(texts[i] for i in order),
    )


def bitmap(anchors: Symbols) -> npt.NDArray[np.uint8]:
    """Which values of a hash's first bits occur: at most one bit in 32 is set, and there are 8 KB at least."""
    bits = max(16, (len(anchors) * 32).bit_length())
    cells = anchors >> np.uint64(64 - bits)
    found = np.zeros(1 << (bits - 3), np.uint8)
    np.bitwise_or.at(found, cells >> np.uint64(3), np.uint8(1) << (cells & np.uint64(7)).astype(np.uint8))
    return found


def _hash(method: Method, text: str) -> str:
    spelling = " ".join(TOKENS.findall(text)) if method == "short" else text
    return hashlib.sha256(spelling.encode()).hexdigest()


def _scan_group(sequence: Symbols, group: _Needles) -> list[int]:
    hits = np.empty(len(group.tasks), np.int64)
    seen = np.zeros(len(group.tasks), np.bool_)
    count = _scan(sequence, group.window, group.anchors, group.bitmap, group.symbols, group.starts, seen, hits)
    return hits[:count].tolist()


@compiled
def _split(
    data: npt.NDArray[np.uint8], classes: npt.NDArray[np.uint8], squeezed: Symbols, words: Symbols, tokens: Symbols
) -> tuple[int, int, int]:
    n_squeezed, n_words, n_tokens = 0, 0, 0
    value = FNV_OFFSET
    for i in range(len(data) + 1):
        kind = classes[data[i]] if i < len(data) else np.uint8(SPACE)
        if kind == WORD:
            value = (value ^ np.uint64(data[i])) * FNV_PRIME
        elif value != FNV_OFFSET:
            value = (value ^ (value >> np.uint64(33))) * MIX
            value ^= value >> np.uint64(33)
            words[n_words] = value
            tokens[n_tokens] = value
            n_words += 1
            n_tokens += 1
            value = FNV_OFFSET
        if kind == MARK:
            tokens[n_tokens] = np.uint64(data[i]) * MIX
            n_tokens += 1
        if kind != SPACE:
            squeezed[n_squeezed] = data[i]
            n_squeezed += 1
    return n_squeezed, n_words, n_tokens


@compiled
def _scan(
    sequence: Symbols,
    window: int,
    anchors: Symbols,
    bitmap: npt.NDArray[np.uint8],
    symbols: Symbols,
    starts: npt.NDArray[np.int64],
    seen: npt.NDArray[np.bool_],
    hits: npt.NDArray[np.int64],
) -> int:
    """Writes the needles that occur in `sequence` to `hits`, each once, in the order of their first occurrence."""
    shift = np.uint64(64)
    cells = len(bitmap) * 8
    while cells > 1:
        shift -= np.uint64(1)
        cells >>= 1
    leaving = np.uint64(1)
    for _ in range(window):
        leaving *= BASE
    count = 0
    value = np.uint64(0)
    for i in range(len(sequence)):
        value = value * BASE + sequence[i]
        if i >= window:
            value -= sequence[i - window] * leaving
        if i < window - 1:
            continue
        cell = value >> shift
        if not (bitmap[cell >> np.uint64(3)] >> (cell & np.uint64(7))) & 1:
            continue
        needle = np.searchsorted(anchors, value)
        begin = i - window + 1
        while needle < len(anchors) and anchors[needle] == value:
            length = starts[needle + 1] - starts[needle]
            if not seen[needle] and begin + length <= len(sequence):
                same = 0
                while same < length and sequence[begin + same] == symbols[starts[needle] + same]:
                    same += 1
                if same == length:
                    seen[needle] = True
                    hits[count] = needle
                    count += 1
            needle += 1
    return count

"""OpenCoder's measures of words, repetition and strings (OpenCoder-llm/opc_data_filtering, quality_signals/), per document.

A word is a run of letters, digits and underscores, lower-cased, as its tokenizer leaves them where punctuation was removed; texts without
blanks between words (Chinese, Japanese) are not cut into words as there. Shares of words are of their characters. Strings and lines are
those outside comments, which `snow.corpus.comments` finds; in a language whose comments are not known here, all of the text is taken as
code. Every measure takes time linear in the text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from snow.corpus import comments

TOP, DUPLICATE = (2, 3, 4), range(5, 11)  # words in a run
LONG_STRING, LONG_WORD = 20, 20  # words, characters
TODO = re.compile(r"your code here|fixme|todo", re.IGNORECASE)

_WORD, _TOKEN = re.compile(r"\w+"), re.compile(r"\w+|[^\w\s]+")
_STRING = re.compile(r"'''(.*?)'''|\"\"\"(.*?)\"\"\"|'([^\n]*?)'|\"([^\n]*?)\"", re.DOTALL)
_HEX = re.compile(r"\b0[xX][0-9a-fA-F]+\b")
_URL = re.compile(r"https?://\S")
_BLANKS = re.compile(r"\s+")


def measure(content: str, language: str) -> dict[str, float | int]:
    """The signals that `signals.words` asks for, by name."""
    return repetition(_WORD.findall(content.lower())) | literals(content, language)


def repetition(words: Sequence[str]) -> dict[str, float | int]:
    """Of a document's words: how many, how long, how many of them different, and how much is in runs that occur again."""
    numbers: dict[str, int] = {}
    codes = np.fromiter((numbers.setdefault(word, len(numbers)) for word in words), np.int64, len(words))
    lengths = np.fromiter(map(len, words), np.int64, len(words))
    total = max(int(lengths.sum()), 1)
    found: dict[str, float | int] = {
        "words": len(words),
        "mean_word_length": float(lengths.sum()) / max(len(words), 1),
        "unique_words": len(numbers) / max(len(words), 1),
    }
    runs, before = codes, np.concatenate(([0], np.cumsum(lengths)))  # runs of n words as one number each
    for n in range(2, max(DUPLICATE) + 1):
        if len(words) >= n:
            _, runs, counts = np.unique(runs[:-1] * (len(numbers) + 1) + codes[n - 1 :], return_inverse=True, return_counts=True)
        else:
            runs = counts = np.zeros(0, np.int64)
        if n in TOP:
            found[f"top_{n}grams"] = _top(runs, counts, before, n) / total
        if n in DUPLICATE:
            covered = np.zeros(len(words) + 1, np.int64)
            again = np.flatnonzero(counts[runs] > 1) if len(runs) else runs
            np.add.at(covered, again, 1)
            np.add.at(covered, again + n, -1)
            found[f"duplicate_{n}grams"] = int(lengths[np.cumsum(covered[:-1]) > 0].sum()) / total
    return found


def _top(runs: np.ndarray, counts: np.ndarray, before: np.ndarray, n: int) -> int:
    """Characters in the most frequent run, the first in the text of several; 0 when none occurs twice."""
    if not len(runs) or counts.max() < 2:
        return 0
    first = int(np.argmax(counts[runs] == counts.max()))
    return int(before[first + n] - before[first]) * int(counts.max())


def literals(content: str, language: str) -> dict[str, float | int]:
    """Of a document's lines and of what stands between quotes in its code."""
    code, remarks = comments.apart(content, language)
    lines, own = content.splitlines(), [line for line in code.splitlines() if line.strip()]
    squeezed = Counter(_BLANKS.sub("", line) for line in own)
    again = sum(count for line, count in squeezed.items() if count > 1 and len(line) > 1 and line != "},")
    strings = ["".join(groups) for groups in _STRING.findall(code)]
    long_lines = sum(len(_TOKEN.findall(line)) > LONG_STRING for string in strings for line in string.split("\n"))
    long_words = sum(len(word) for string in strings for word in string.split() if len(word) > LONG_WORD and not _URL.search(word))
    characters = max(len(code), 1)
    return {
        "duplicate_lines": again / max(len(own), 1),
        "long_string_lines": min(long_lines / max(len(own), 1), 1.0),
        "strings": sum(map(len, strings)) / characters,
        "long_words": long_words / characters,
        "hex_words": sum(map(len, _HEX.findall(code))) / characters,
        "todo_lines": sum(TODO.search(line) is not None for remark in remarks for line in remark.splitlines()) / max(len(lines), 1),
        "assert_lines": sum("assert" in line.lower() for line in own) / max(len(own), 1),
    }

"""Any text as Python tokens: what is left of a program without its layout.

Blanks, comments, docstrings, imports, parentheses and trailing commas are no tokens, the parts of one string are one, and `else: if` is
`elif`: all that formatters, and a way through `ast` and back, may change. A text that is broken, of Python 2 or no Python gives tokens
all the same. What is misread there ends with its line, or with the next quotes of its kind where they are triple.
"""

from __future__ import annotations

import keyword
import unicodedata
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from snow.corpus.compiled import compiled
from snow.corpus.matching import CLASSES, FNV_OFFSET, FNV_PRIME, INVISIBLE, MIX, NON_ASCII_MARK, WORD, Symbols

Bytes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]

NAME, STRING, NUMBER = np.arange(1, 4, dtype=np.uint64) * MIX  # symbols; that of a mark is its byte, of a keyword its hash
ATTRIBUTE = np.uint64(0xA5A5A5A5A5A5A5A5)  # makes of a name's hash the symbol of an attribute
DOT, COMMA, COLON = np.array(list(b".,:"), np.uint64) * MIX


def _fnv(word: str) -> np.uint64:
    value = int(FNV_OFFSET)
    for byte in word.encode():
        value = (value ^ byte) * int(FNV_PRIME) % 2**64
    return np.uint64(value)


KEYWORDS = np.sort(np.array([_fnv(word) for word in keyword.kwlist], np.uint64))
ELSE, ELIF, IF, IN, IMPORT, FROM = map(_fnv, ("else", "elif", "if", "in", "import", "from"))
# Where one of these begins a line no bracket is open: what was taken for one was none, or is not closed.
_STATEMENTS = ("assert", "break", "class", "continue", "def", "del", "from", "import", "pass", "raise", "return", "try", "while", "with")
STATEMENTS = np.array(list(map(_fnv, _STATEMENTS)), np.uint64)


@dataclass(frozen=True)
class Tokens:
    """The tokens of a text. `spellings` are hashes of how names, numbers and strings read, 0 for other tokens; `begins` and `ends` count
    bytes of `data`; `first` tells the tokens that are the first of their line or stand behind a semicolon."""

    data: bytes
    symbols: Symbols
    spellings: Symbols
    begins: Numbers
    ends: Numbers
    first: npt.NDArray[np.bool_]

    def line(self, token: int) -> int:
        """On which line of the text a token begins, from 0."""
        return self.data.count(b"\n", 0, int(self.begins[token]))


def tokens(text: str) -> Tokens:
    """The tokens of any text; of a Unicode text as `matching.normalise` has it, but for case."""
    if not text.isascii():
        text = NON_ASCII_MARK.sub(" ", unicodedata.normalize("NFKC", INVISIBLE.sub("", text)))
    data = text.encode()
    size = len(data)
    symbols, spellings = np.empty(size, np.uint64), np.empty(size, np.uint64)
    begins, ends, first = np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size, np.bool_)
    count = _tokens(np.frombuffer(data, np.uint8), CLASSES, KEYWORDS, STATEMENTS, symbols, spellings, begins, ends, first)
    return Tokens(data, symbols[:count], spellings[:count], begins[:count], ends[:count], first[:count])


@compiled
def _tokens(
    data: Bytes,
    classes: Bytes,
    keywords: Symbols,
    statements: Symbols,
    symbols: Symbols,
    spellings: Symbols,
    begins: Numbers,
    ends: Numbers,
    first: npt.NDArray[np.bool_],
) -> int:
    i, count, depth = 0, 0, 0
    fresh = True  # nothing of this line, or since the semicolon, has been written
    lone = -1  # a string that began a statement and has been the whole of it so far: a docstring, or what is used as a comment
    while i < len(data):
        mark = data[i]
        if mark <= 32 or mark == 127:
            fresh = fresh or mark == ord("\n")
            i += 1
            continue
        if mark == ord("#"):
            i = _line_end(data, i)
            continue
        if mark == ord("\\"):  # and the end of a line that goes on
            i += 2
            continue
        if lone >= 0 and (fresh or mark == ord(";")):
            count, lone = lone, -1
        begin, symbol, spelling = i, np.uint64(mark) * MIX, np.uint64(0)
        if _begins_number(data, i):
            i = _number_end(data, classes, i)
            symbol, spelling = NUMBER, _value(data, begin, i)
        elif classes[mark] == WORD:
            i = _word_end(data, classes, i)
            symbol = _hash(data, begin, i, FNV_OFFSET, 0)
            if i < len(data) and (data[i] == ord('"') or data[i] == ord("'")) and _is_prefix(data, begin, i):
                mark = data[i]
            elif count and symbols[count - 1] == DOT:
                symbol ^= ATTRIBUTE
            elif keywords[min(np.searchsorted(keywords, symbol), len(keywords) - 1)] != symbol:
                symbol, spelling = NAME, symbol
            elif fresh and (statements == symbol).any():
                depth = 0
                if symbol in (IMPORT, FROM):
                    i = _import_end(data, i)
                    continue
        else:
            i += 1
        if mark == ord('"') or mark == ord("'"):
            joined = count > 0 and symbols[count - 1] == STRING and not (fresh and depth == 0)
            i, inside, outside = _string(data, begin if data[begin] == mark else i)
            spelling = _hash(data, inside, outside, spellings[count - 1] if joined else FNV_OFFSET, ord("\\"))
            if joined:
                spellings[count - 1], ends[count - 1], fresh = spelling, i, False
                continue
            symbol = STRING
            if fresh and depth == 0:
                lone = count
        elif mark == ord(";"):
            fresh = True
            continue
        elif mark == ord("(") or mark == ord("[") or mark == ord("{"):
            depth += 1
        elif mark == ord(")") or mark == ord("]") or mark == ord("}"):
            depth = max(depth - 1, 0)
            if count and symbols[count - 1] == COMMA:
                count -= 1
            fresh = fresh and mark != ord(")")
        if lone != count:
            lone = -1
        if mark == ord("(") or mark == ord(")"):
            continue
        if count and symbols[count - 1] == COMMA and (mark == ord("=") or symbol == IN or (fresh and depth == 0)):
            count -= 1  # of a tuple that is not in parentheses
        if symbol == IF and count > 1 and symbols[count - 1] == COLON and symbols[count - 2] == ELSE:
            count -= 2
            symbol, begin, fresh = ELIF, begins[count], first[count]
        symbols[count], spellings[count], begins[count], ends[count], first[count] = symbol, spelling, begin, i, fresh
        count += 1
        fresh = False
    return lone if lone >= 0 else count


@compiled
def _hash(data: Bytes, begin: int, end: int, value: np.uint64, without: int) -> np.uint64:
    """FNV-1a going on from `value`, a byte left out: of a string the backslashes, in which raw strings and others differ."""
    for i in range(begin, end):
        if data[i] != without:
            value = (value ^ np.uint64(data[i])) * FNV_PRIME
    return value


@compiled
def _value(data: Bytes, begin: int, end: int) -> np.uint64:
    """The hash of a number: 1., 1.0 and 1 are the same, and so are .5 and 0.50."""
    for i in range(begin, end):
        if data[i] == ord("."):
            while data[end - 1] == ord("0"):
                end -= 1
            if end - 1 == i:
                end = i
            if i == begin + 1 and data[begin] == ord("0"):
                begin = i
            break
    return _hash(data, begin, end, FNV_OFFSET, 0)


@compiled
def _line_end(data: Bytes, i: int) -> int:
    while i < len(data) and data[i] != ord("\n"):
        i += 1
    return i


@compiled
def _word_end(data: Bytes, classes: Bytes, i: int) -> int:
    while i < len(data) and classes[data[i]] == WORD:
        i += 1
    return i


@compiled
def _is_prefix(data: Bytes, begin: int, end: int) -> bool:
    """Whether a word is the prefix of a string: r, b, u, f or two of them."""
    for i in range(begin, end):
        low = data[i] | 32
        if low != ord("r") and low != ord("b") and low != ord("u") and low != ord("f"):
            return False
    return end - begin <= 2


@compiled
def _begins_number(data: Bytes, i: int) -> bool:
    if data[i] == ord(".") and i + 1 < len(data):
        i += 1
    return ord("0") <= data[i] <= ord("9")


@compiled
def _number_end(data: Bytes, classes: Bytes, i: int) -> int:
    begin, hexadecimal = i, i + 1 < len(data) and data[i + 1] | 32 == ord("x")
    while i < len(data):
        signed = (data[i] == ord("+") or data[i] == ord("-")) and i > begin and data[i - 1] | 32 == ord("e") and not hexadecimal
        if not (classes[data[i]] == WORD or data[i] == ord(".") or signed):
            break
        i += 1
    return i


@compiled
def _string(data: Bytes, i: int) -> tuple[int, int, int]:
    """Where the string that opens at `i` ends, and where what is inside begins and ends."""
    quote, size = data[i], 1
    if i + 2 < len(data) and data[i + 1] == quote and data[i + 2] == quote:
        size = 3
    i += size
    inside = i
    while i < len(data):
        if data[i] == ord("\\"):
            i += 2
            continue
        if size == 1 and data[i] == ord("\n"):
            return i, inside, i
        if data[i] == quote and (size == 1 or (i + 2 < len(data) and data[i + 1] == quote and data[i + 2] == quote)):
            return i + size, inside, i
        i += 1
    return len(data), inside, len(data)


@compiled
def _import_end(data: Bytes, i: int) -> int:
    depth = 0
    while i < len(data):
        if data[i] == ord("#"):
            i = _line_end(data, i)
        elif depth <= 0 and (data[i] == ord("\n") or data[i] == ord(";")):
            return i
        else:
            depth += (data[i] == ord("(")) - (data[i] == ord(")"))
            i += 2 if data[i] == ord("\\") else 1
    return len(data)

"""Finding reference solutions whose names were changed: the token pass of decontamination, beside what `snow.corpus.matching` finds.

The solutions of all suites are Python, so every document is read as Python tokens, whatever its language. A solution is found where its
tokens stand in a row as whole statements and its names can be exchanged one to one for the document's. What no renaming changes must
be the same: built-in functions that the program does not redefine, attributes, keywords of calls that are no parameters of its own
functions. Numbers and strings count by their kind, in short solutions by their value. As in `matching`, the cost of a document does not
grow with the number of solutions.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from snow.corpus.compiled import compiled
from snow.corpus.matching import BASE, Match, Symbols, bitmap
from snow.corpus.python_tokens import COLON, NAME, NUMBER, STRING, Numbers, Tokens, tokens
from snow.suites.tasks import parsed

if TYPE_CHECKING:
    from snow.schema import TokenRules
    from snow.suites.tasks import Task

# What a needle wants of a token besides its symbol: from 0 on a name, the same wherever the number is the same and else another.
NOTHING, SPELLING = -1, -2


@dataclass(frozen=True)
class _Needle:
    """A run of a solution's tokens, and how its lines read."""

    symbols: Symbols
    spellings: Symbols
    wanted: Numbers
    lines: str

    @property
    def content(self) -> bytes:
        """Equal for needles that find the same."""
        return b"".join(part.tobytes() for part in (self.symbols, self.wanted, self.spellings[self.wanted == SPELLING]))


@dataclass(frozen=True)
class Index:
    """Needles ordered by the hash of their first `window` symbols; those of number i are at [starts[i]:starts[i + 1]]."""

    window: int
    anchors: Symbols
    bitmap: npt.NDArray[np.uint8]
    starts: Numbers
    symbols: Symbols
    spellings: Symbols
    wanted: Numbers
    needles: tuple[_Needle, ...]
    tasks: tuple[tuple[tuple[str, str], ...], ...]


def build(tasks: Iterable[tuple[str, Task]], rules: TokenRules) -> Index | None:
    """An index of the solutions of the tasks of suites, None when there is none to look for.

    A task yields its solution as a whole and the body of its entry function, each if it has `min_tokens` tokens, `distinct` of them
    different.
    """
    owners: dict[bytes, tuple[_Needle, dict[tuple[str, str], None]]] = {}
    for suite, task in tasks:
        for needle in _needles(task, rules):
            if len(needle.symbols) >= rules.min_tokens and len(np.unique(needle.symbols)) >= rules.distinct:
                owners.setdefault(needle.content, (needle, {}))[1][suite, task.task_id] = None
    if not owners:
        return None
    window = min(len(needle.symbols) for needle, _ in owners.values())
    anchors = np.zeros(len(owners), np.uint64)
    for symbols in np.stack([needle.symbols[:window] for needle, _ in owners.values()]).T:
        anchors = anchors * BASE + symbols
    order = np.argsort(anchors, kind="stable")
    entries = list(owners.values())
    needles, tasks_of = zip(*(entries[i] for i in order), strict=True)
    return Index(
        window=window,
        anchors=anchors[order],
        bitmap=bitmap(anchors),
        starts=np.cumsum([0, *(len(needle.symbols) for needle in needles)]).astype(np.int64),
        symbols=np.concatenate([needle.symbols for needle in needles]),
        spellings=np.concatenate([needle.spellings for needle in needles]),
        wanted=np.concatenate([needle.wanted for needle in needles]),
        needles=needles,
        tasks=tuple(map(tuple, tasks_of)),
    )


def find(index: Index, text: str) -> list[Match]:
    """What `text` shares with the indexed solutions, one Match per (suite, task), in that order."""
    first: dict[tuple[str, str], _Needle] = {}
    counts: dict[tuple[str, str], int] = {}
    for number, _, _ in _hits(index, tokens(text)):
        for key in index.tasks[number]:
            first.setdefault(key, index.needles[number])
            counts[key] = counts.get(key, 0) + 1
    return [
        Match(*key, "tokens", hashlib.sha256(found.content).hexdigest(), counts[key], found.lines) for key, found in sorted(first.items())
    ]


def places(index: Index, text: str) -> dict[tuple[str, str], tuple[int, int]]:
    """By suite and task the lines of `text`, from 0, on which the first match begins and its last token stands."""
    read = tokens(text)
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for number, begin, end in _hits(index, read):
        for key in index.tasks[number]:
            found.setdefault(key, (read.line(begin), read.line(end - 1)))
    return found


def _needles(task: Task, rules: TokenRules) -> Iterator[_Needle]:
    """The solution as a whole and the body of the entry function; none of a program that does not parse."""
    read = tokens(task.program)
    try:
        tree = parsed(read.data.decode())
    except (SyntaxError, ValueError):
        return
    lines = [0, *accumulate(map(len, read.data.splitlines(keepends=True)))]
    spans = [(len(tokens(task.code).data), len(read.data))]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == task.entry_point:
            begin = min(_place(lines, one) for one in (node.body[0], *getattr(node.body[0], "decorator_list", ())))
            spans.append((begin, lines[(node.end_lineno or 1) - 1] + (node.end_col_offset or 0)))
    kept = _kept(tree, lines)
    for begin, end in spans:
        first, behind = np.searchsorted(read.begins, [begin, end]).tolist()
        if first < behind:
            part = slice(first, behind)
            shown = task.program.split("\n")[read.line(first) : read.line(behind - 1) + 1]
            literals = SPELLING if behind - first < rules.same_literals else NOTHING
            yield _Needle(read.symbols[part], read.spellings[part], _wanted(read, part, kept, literals), "\n".join(shown))


def _place(lines: list[int], node: ast.stmt | ast.expr | ast.keyword) -> int:
    """The byte at which a node begins."""
    return lines[node.lineno - 1] + node.col_offset


def _kept(tree: ast.Module, lines: list[int]) -> dict[tuple[int, str], int]:
    """What is wanted of the names, by where and how they stand, that a renaming of the program keeps or need not change like others."""
    nodes = list(ast.walk(tree))
    parameters = {node.arg for node in nodes if isinstance(node, ast.arg)}
    own = parameters | {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    own |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    own |= {node.asname or node.name for node in nodes if isinstance(node, ast.alias)}
    kept = {
        (_place(lines, node), node.id): SPELLING
        for node in nodes
        if isinstance(node, ast.Name) and node.id not in own and hasattr(builtins, node.id)
    }
    for node in nodes:
        if isinstance(node, ast.keyword) and node.arg:
            kept[_place(lines, node), node.arg] = NOTHING if node.arg in parameters else SPELLING
    return kept


def _wanted(read: Tokens, part: slice, kept: dict[tuple[int, str], int], literals: int) -> Numbers:
    numbers: dict[str, int] = {}
    wanted = []
    for symbol, begin, end in zip(read.symbols[part], read.begins[part].tolist(), read.ends[part].tolist(), strict=True):
        word = read.data[begin:end].decode() if symbol == NAME else ""
        if not word:
            wanted.append(literals if symbol in (STRING, NUMBER) else NOTHING)
        elif (begin, word) in kept:
            wanted.append(kept[begin, word])
        else:
            wanted.append(numbers.setdefault(word, len(numbers)))
    return np.array(wanted, np.int64)


def _hits(index: Index, read: Tokens) -> list[tuple[int, int, int]]:
    """The needles that stand in a text, each once: its number, its first token there and the one behind its last."""
    hits = np.empty((len(index.needles), 3), np.int64)
    seen = np.zeros(len(index.needles), np.bool_)
    names = np.empty(int(index.wanted.max()) + 1, np.uint64)
    needles = index.starts, index.symbols, index.spellings, index.wanted
    count = _scan(read.symbols, read.spellings, read.first, index.window, index.anchors, index.bitmap, *needles, seen, names, hits)
    return [tuple(row) for row in hits[:count].tolist()]


@compiled
def _scan(
    symbols: Symbols,
    spellings: Symbols,
    first: npt.NDArray[np.bool_],
    window: int,
    anchors: Symbols,
    bitmap: npt.NDArray[np.uint8],
    starts: Numbers,
    needle_symbols: Symbols,
    needle_spellings: Symbols,
    wanted: Numbers,
    seen: npt.NDArray[np.bool_],
    names: Symbols,
    hits: Numbers,
) -> int:
    """Writes (needle, begin, end) for each needle where it first stands in the text."""
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
    for i in range(len(symbols)):
        value = value * BASE + symbols[i]
        if i >= window:
            value -= symbols[i - window] * leaving
        if i < window - 1:
            continue
        cell = value >> shift
        if not (bitmap[cell >> np.uint64(3)] >> (cell & np.uint64(7))) & 1:
            continue
        begin = i - window + 1
        if begin and not first[begin] and symbols[begin - 1] != COLON:
            continue
        needle = np.searchsorted(anchors, value)
        while needle < len(anchors) and anchors[needle] == value:
            at, end = starts[needle], begin + starts[needle + 1] - starts[needle]
            closed = end == len(symbols) or (end < len(symbols) and first[end])
            if not seen[needle] and closed and _same(symbols, spellings, begin, end, needle_symbols, needle_spellings, wanted, at, names):
                seen[needle] = True
                hits[count, 0], hits[count, 1], hits[count, 2] = needle, begin, end
                count += 1
            needle += 1
    return count


@compiled
def _same(
    symbols: Symbols,
    spellings: Symbols,
    begin: int,
    end: int,
    needle_symbols: Symbols,
    needle_spellings: Symbols,
    wanted: Numbers,
    at: int,
    names: Symbols,
) -> bool:
    """Whether the tokens from `begin` on are what the needle at `at` wants; `names` is room for the text's names."""
    known = 0
    for i in range(begin, end):
        want = wanted[at]
        if symbols[i] != needle_symbols[at] or (want == SPELLING and spellings[i] != needle_spellings[at]):
            return False
        if 0 <= want < known and names[want] != spellings[i]:
            return False
        if want == known:  # a name the needle has not had before
            for number in range(known):
                if names[number] == spellings[i]:
                    return False
            names[known] = spellings[i]
            known += 1
        at += 1
    return True

"""Where a document matched a benchmark's task: the evidence of decontamination's ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from snow.corpus import matching
from snow.corpus.matching import Match, Method, Symbols
from snow.corpus.side_by_side import Pair, cut


def pairs(
    document: str,
    matches: Iterable[Match],
    texts: Mapping[tuple[str, str], Sequence[str]],
    renamed: Mapping[tuple[str, str], tuple[int, int]],
) -> list[Pair]:
    """One for each of a document's matches; `texts` are those of every task, `renamed` where the token pass found them."""
    shown, known = _Text(document), {}
    found = []
    for match in matches:
        key = (match.suite, match.task_id)
        if match.method == "tokens":
            found.append(Pair(renamed[key][0] + 1, shown.cut(*renamed[key]), cut(match.text.split("\n"))))
            continue
        needle = matching.split(match.text)[match.method]
        for text in texts[key]:
            task = known.setdefault(text, _Text(text))
            there = task.place(match.method, needle)
            if there is not None:
                found.append(_pair(shown, task, match.method, needle, there))
                break
    return found


def _pair(document: _Text, task: _Text, method: Method, needle: Symbols, there: int) -> Pair:
    here = document.place(method, needle)
    assert here is not None  # it was found in it
    length = len(needle)
    if method == "ngram":  # and the words behind that are the same
        ours, theirs = document.symbols[method][here:].tolist(), task.symbols[method][there:].tolist()
        length = next((i for i, (one, other) in enumerate(zip(ours, theirs, strict=False)) if one != other), min(len(ours), len(theirs)))
    lines = document.lines_of(method, here, here + length)
    return Pair(lines[0] + 1, document.cut(*lines), task.cut(*task.lines_of(method, there, there + length)))


class _Text:
    """A text as its lines and as what each method compares, which has as many."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def lines(self) -> list[str]:
        return self.text.split("\n")

    def cut(self, first: int, last: int) -> str:
        """The lines from the first to the last, as they are shown."""
        return cut(self.lines[first : last + 1])

    @cached_property
    def normal(self) -> str:
        return matching.normalise(self.text)

    @cached_property
    def symbols(self) -> dict[Method, Symbols]:
        return matching.split(self.normal)

    def place(self, method: Method, needle: Symbols) -> int | None:
        """The first symbol from which on the needle's stand here."""
        mine, wanted, at = self.symbols[method].tobytes(), needle.tobytes(), -1
        while (at := mine.find(wanted, at + 1)) >= 0:
            if at % needle.itemsize == 0:
                return at // needle.itemsize
        return None

    def lines_of(self, method: Method, begin: int, end: int) -> tuple[int, int]:
        """The lines, from 0, of the symbols from `begin` up to but not `end`."""
        data, begins = self.normal.encode(), matching.begins(self.normal, method)
        first, last = (data.count(b"\n", 0, int(begins[symbol])) for symbol in (begin, end - 1))
        return first, last

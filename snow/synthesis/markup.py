"""An answer's marks: the reasoning that comes before it, and the fenced blocks in it.

A fence is CommonMark's, three or more backticks or tildes, under any indentation, in a list or a quotation. Where a block ends is
not: CommonMark ends it at the first fence without a word behind it, but models put fences of the same length into a docstring,
a template or a heredoc. Of all the fences that may end a block, the one with which the code parses is taken.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import cast

from snow.corpus import languages
from snow.synthesis import syntax

# How models mark reasoning, as vLLM's reasoning parsers list it; a server that knows its model's marks leaves them out.
_REASONING = (
    (r"<(think|thinking|thought|reasoning|reason|seed:think)>", r"</(think|thinking|thought|reasoning|reason|seed:think)>"),
    (r"\[THINK\]", r"\[/THINK\]"),
    (r"◁think▷", r"◁/think▷"),
    (r"<\|START_THINKING\|>", r"<\|END_THINKING\|>"),
    (r"<\|channel\|>analysis<\|message\|>", r"<\|channel\|>final<\|message\|>"),
)
_FENCE = re.compile(r"(?P<lead>(?:[ \t>]|(?:[-*+]|\d{1,9}[.)])[ \t])*)(?P<mark>`{3,}(?!.*`)|~{3,})[ \t]*(?P<info>.*?)[ \t]*")
_UNSEEN = cast("re.Match[str]", _FENCE.fullmatch("```"))
_TAGS = {"py3": "Python", "node": "JavaScript", "nodejs": "JavaScript"}  # besides the names and extensions of languages
_TAGS |= dict.fromkeys(("mysql", "postgres", "postgresql", "plpgsql", "plsql", "sqlite", "tsql"), "SQL")
_ENDS, _BLOCKS = 64, 16  # fences tried as a block's end, and blocks for which they are; more are in answers that go round in circles


@dataclass(frozen=True)
class Block:
    """A fenced block of an answer."""

    info: str  # what stands behind the opening fence
    language: str | None  # the known one that `info` names
    text: str
    open: bool  # the answer ends inside
    parses: bool | None  # None where there is no parser for what `info` names


def without_reasoning(answer: str) -> str | None:
    """What follows the reasoning that an answer begins with, None when it ends inside.

    A closing mark at the start or end of a line, with no opening one before it, counts too: the chat templates of some models put
    that one into the question.
    """
    for opening, closing in _REASONING:
        begun = re.match(rf"\s*{opening}", answer, re.IGNORECASE)
        ended = re.search(closing if begun else rf"^{closing}|{closing}[ \t]*$", answer, re.IGNORECASE | re.MULTILINE)
        if begun or (ended and not re.search(opening, answer[: ended.start()], re.IGNORECASE)):
            return answer[ended.end() :] if ended else None
    return answer


def blocks(answer: str, asked: str) -> list[Block]:
    """The fenced blocks of an answer with `\n` as line end, in order; `asked` is the language of those that name nothing."""
    lines = answer.split("\n")
    fences = {number: fence for number, line in enumerate(lines) if (fence := _FENCE.fullmatch(line))}
    found, place = [], 0
    while place < len(lines):
        if place in fences:
            block, place = _block(lines, fences, place, asked, _ENDS if len(found) < _BLOCKS else 1)
            found.append(block)
        place += 1
    if found and found[-1].open and not found[-1].info and any(line.strip() for line in lines[: min(fences)]):
        # Perhaps this fence only closes, and the answer was begun in the block.
        begun, _ = _block(lines, {-1: _UNSEEN, **fences}, -1, asked, _ENDS)
        if not begun.open and (begun.parses or not found[-1].text.strip()):
            found.append(replace(begun, language=asked))
    return found


def language_of(info: str) -> str | None:
    """The language that a fence's first word names, by itself (`py`, `{.rust}`, `c++`) or as a file's name (`src/main.rs`)."""
    for word in re.split(r"[{}:,;=]+", info.split()[0] if info.strip() else ""):
        name = word.lstrip(".").removeprefix("language-")
        known = languages.candidates(name) or languages.candidates(f"name.{name}")
        if language := languages.canonical(name) or _TAGS.get(name.lower()) or (known[0] if known else None):
            return None if language in languages.DATA else language
    return None


def _block(lines: list[str], fences: dict[int, re.Match[str]], start: int, asked: str, most: int) -> tuple[Block, int]:
    """The block that opens at line `start`, and the line at which it ends, one of the first `most` possible."""
    lead, info = fences[start]["lead"], fences[start]["info"]
    language = language_of(info)
    checked = language or (None if info else asked)
    ends = list(itertools.islice(_ends(fences, start, len(lines)), most))
    end = next((end for end in ends if checked and _parses(lines, fences, start, end, checked)), ends[0])
    text = _inside(lines[start + 1 : end], lead)
    return Block(info, language, text, end == len(lines), syntax.parses(text, checked) if checked else None), end


def _parses(lines: list[str], fences: dict[int, re.Match[str]], start: int, end: int, language: str) -> bool:
    """Whether what stands between two lines is code without the fences in it: three backticks open a string in some languages, and
    then any talk is code."""
    bare = [fences[number].expand(r"\g<lead>\g<info>") if number in fences else lines[number] for number in range(start + 1, end)]
    return syntax.parses(_inside(bare, fences[start]["lead"]), language) is True


def _ends(fences: dict[int, re.Match[str]], start: int, last: int) -> Iterator[int]:
    """Where the block that opens at `start` may end: first where its fence and those inside pair, then at every other, or never."""
    mark, prefix = fences[start]["mark"], " \t>" if ">" in fences[start]["lead"] else " \t"
    inside = {
        number: fence
        for number, fence in fences.items()
        if number > start and fence["mark"].startswith(mark) and not fence["lead"].strip(prefix)
    }
    depth, paired = 1, last
    for number, fence in inside.items():
        depth += 1 if re.match(r"[\w{.]", fence["info"]) else -1  # one with a docstring's quotes behind it only closes
        if not depth:
            paired = number
            break
    closing = [number for number, fence in inside.items() if not fence["info"]]
    yield from dict.fromkeys([paired, *closing, last])


def _inside(lines: list[str], lead: str) -> str:
    """The lines of a block without what all of them share with the indentation or quotation of its fence."""
    prefix = " \t>" if ">" in lead else " \t"
    shared = re.compile(f"[{prefix}]{{0,{len(lead)}}}")
    width = min((found.end() for line in lines if line.strip(prefix) and (found := shared.match(line))), default=0)
    return "".join(f"{line[width:]}\n" for line in lines)

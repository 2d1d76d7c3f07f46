"""The code in a model's answer, and what can be said of it alone."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass

from snow.corpus import languages

# A fence opens at the start of a line and closes at the next fence alone on its line; a cut answer may leave it open.
_FENCED = re.compile(r"^[ \t]*```[ \t]*([^\s`]*)[^\n`]*\n(.*?)(?:^[ \t]*```[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_TOKEN = re.compile(r"[A-Za-z_0-9]+")  # as in snow.corpus.minhash


@dataclass(frozen=True)
class Code:
    """Code out of an answer: its text ends in one newline unless it is empty; `fenced` says that the answer marked it."""

    text: str
    language: str
    fenced: bool


def code_of(answer: str, language: str, cut: bool) -> Code:
    """The longest fenced block marked as `language`, else the longest block of any kind, else the whole answer.

    A block that names another language it knows is that language. Of a `cut` answer, one that the token limit ended, the last
    line goes when the cut is inside the code.
    """
    blocks = [(languages.canonical(found[1]), found[2], found.end() == len(answer)) for found in _FENCED.finditer(answer)]
    if not blocks:
        return Code(_trim(answer, cut), language, fenced=False)
    own = [block for block in blocks if block[0] == language] or blocks
    named, text, last = max(own, key=lambda block: len(block[1]))
    return Code(_trim(text, cut and last), named or language, fenced=True)


def _trim(text: str, cut: bool) -> str:
    if cut:
        text = text.rpartition("\n")[0]
    lines = [line.rstrip() for line in text.strip("\n").split("\n")]
    return "\n".join(lines).strip("\n") + "\n" if any(lines) else ""


def parse(code: str) -> ast.Module | None:
    """The syntax tree of Python code, or None when this interpreter cannot read it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes and the like do not stop a program
        try:
            return ast.parse(code)
        except (SyntaxError, ValueError, RecursionError, MemoryError):  # NUL bytes; nesting beyond the parser's stack
            return None


def does_something(tree: ast.Module) -> bool:
    """Whether there is more than comments, strings, `...` and `pass` at the top level."""
    return any(
        not isinstance(statement, ast.Pass) and not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        for statement in tree.body
    )


def repeated_lines(code: str) -> float:
    """The share of lines that repeat an earlier one, but for indentation; lines without a letter or digit do not count."""
    lines = [line.strip() for line in code.split("\n") if any(character.isalnum() for character in line)]
    return 1 - len(set(lines)) / len(lines) if lines else 0.0


def overlap(code: str, seed: str, ngram: int) -> float:
    """The share of the code's token shingles that are also the seed's; 0 when either has fewer tokens than a shingle."""
    own, other = _shingles(code, ngram), _shingles(seed, ngram)
    return len(own & other) / len(own) if own else 0.0


def _shingles(text: str, ngram: int) -> set[tuple[str, ...]]:
    tokens = _TOKEN.findall(text)
    return {tuple(tokens[start : start + ngram]) for start in range(len(tokens) - ngram + 1)}

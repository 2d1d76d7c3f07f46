"""The matched lines of a document and of a task, found again after the match."""

from __future__ import annotations

import pytest

from snow import params as settings
from snow import schema
from snow.corpus import benchmarks as suites
from snow.corpus.side_by_side import COLUMNS, LINES, Pair, columns
from snow.suites.tasks import Task
from tests.stage_runs import ROOT

TOKENS = schema.TokenRules(min_tokens=10, distinct=7, same_literals=20)
RULES = settings.load(ROOT / "params.yaml").decontamination.model_copy(update={"tokens": TOKENS})
STATEMENT = "Give every third word of the text, joined with\nhyphens, or nothing where there are fewer than three of them."
SOLUTION = "    words = text.split()\n    if len(words) < 3:\n        return None\n    return '-'.join(words[2::3])\n"
CODE = f'def thirds(text):\n    """{STATEMENT}"""\n'
TASK = Task("T/0", CODE, "thirds", SOLUTION, (STATEMENT,), "", "humaneval", CODE)
BEFORE = "# caf\u00e9 \ufb01ne \u2028 \u00a0\n\r\n\x0c\n"  # three lines, whatever Unicode makes of them


@pytest.fixture(scope="module")
def known() -> suites.Benchmarks:
    return suites.index({"suite": [TASK]}, RULES)


def pairs(known: suites.Benchmarks, document: str) -> dict[str, Pair]:
    matches = known.find(document)
    return dict(zip([match.method for match in matches], known.side_by_side(document, matches), strict=True))


def test_the_solution_by_its_characters_and_tokens(known: suites.Benchmarks) -> None:
    copy = "WORDS  = TEXT.split()\nIF LEN(WORDS) < 3:\n\tRETURN NONE\nRETURN '-'.JOIN(WORDS[2::3])"
    assert pairs(known, f"{BEFORE}{copy}\nmore = 1\n")["substring"] == Pair(4, copy, SOLUTION.rstrip())
    renamed = "    w = t.split()\n    # fewer\n    if len(w) < 3: return None\n    return '-'.join(\n        w[2::3])"
    assert pairs(known, f"{BEFORE}def f(t):\n{renamed}\n\nmore = 1\n") == {"tokens": Pair(5, renamed, SOLUTION.rstrip())}


def test_a_statement_as_far_as_its_words_are_the_same(known: suites.Benchmarks) -> None:
    found = pairs(known, f"{BEFORE}# Give every third word of the\n# text, joined with hyphens, or nothing\n# at all where there are")
    assert found == {"ngram": Pair(4, "# Give every third word of the\n# text, joined with hyphens, or nothing", STATEMENT)}


def test_both_sides_are_bounded(known: suites.Benchmarks) -> None:
    spread = SOLUTION.replace(" ", "\n").replace("return", "return" + " " * 500)
    pair = pairs(known, spread)["substring"]
    shown = pair.document_lines.split("\n")
    assert len(shown) == LINES + 1
    assert shown[-1].startswith("\u2026 ")
    assert max(map(len, shown)) <= COLUMNS + 1


def test_columns_are_printable() -> None:
    told = columns(Pair(9, "a\x1b[31m\n\tb\n\u2026 3 more lines", "c" * 200))
    left = (" 9  a\ufffd[31m", "10      b", "\u2026 3 more lines")
    assert told == [f"{left[0]:60} | {'c' * 200}", f"{left[1]:60} |", f"{left[2]:60} |"]

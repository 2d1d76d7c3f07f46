"""Which code is taken to be of its language."""

from __future__ import annotations

from pathlib import Path

import pytest

from snow.stages import STAGES
from snow.synthesis import syntax

# A small program in each language, in the style of models, under a line `==== LANGUAGE`.
PROGRAMS = dict(part.split("\n", 1) for part in (Path(__file__).parent / "programs.txt").read_text().removeprefix("==== ").split("\n==== "))


@pytest.mark.parametrize("language", sorted(syntax.LANGUAGES))
def test_a_program_parses_and_a_part_of_it_with_talk_behind_does_not(language: str) -> None:
    program = PROGRAMS[language] + "\n"
    assert syntax.parses(program, language)
    talk = "```\n\nThis program goes through the values, and it's commented. Hope this helps you!\n"
    assert not syntax.parses(program + talk, language)
    assert not syntax.parses(program.rstrip("\n").rpartition("\n")[0] + "\n", language), "its last line is missing"


def test_a_dialect_is_enough() -> None:
    assert syntax.parses("function total($x) { return $x; }\n", "PHP"), "PHP without its opening tag"
    assert not syntax.parses("function total($x) { return $x;\n", "PHP")
    assert syntax.parses("export const View = (): JSX.Element => <p>text</p>;\n", "TypeScript")
    assert syntax.parses("const x = <number>value;\n", "TypeScript")
    assert syntax.parses("SELECT TOP 3 [name] FROM dbo.shop WITH (NOLOCK);\n", "SQL")
    assert syntax.parses("SELECT `name` FROM `shop` LIMIT 3;\n", "SQL")
    assert not syntax.parses("This is the query you asked for\n", "SQL")


def test_what_has_no_parser_is_not_judged() -> None:
    assert syntax.parses("cdef int x = (\n", "Cython") is None


def test_every_parsers_version_is_part_of_the_key() -> None:
    modules = {module.replace("_", "-") for module, *_ in syntax.GRAMMARS.values()}
    assert modules | {"sqlglot", "tree-sitter", "numpy"} == set(STAGES["refine"].packages)


@pytest.mark.parametrize("text", ["def f(:\n", "x = 1\0\n", "(" * 5000 + ")" * 5000, "print 'x'\n"])
def test_what_python_cannot_read_is_noticed(text: str) -> None:
    assert syntax.tree(text) is None


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("# only\n# comments\n", "Python", False),
        ('"""Text."""\n...\npass\n', "Python", False),
        ("import os\n", "Python", True),
        ("/* Adds two numbers. */\n// That is all.\n", "C", False),
        ("/* Adds two numbers.\n", "Scala", False),
        ("/* Adds two numbers. */\nint add(int a, int b);\n", "C", True),
        ("# nothing here can parse it\n", "Cython", True),
    ],
)
def test_files_without_statements_are_noticed(text: str, language: str, expected: bool) -> None:
    assert syntax.does_something(text, language) is expected

"""Which part of an answer is taken as the file, and what is noticed about it."""

from __future__ import annotations

import textwrap

import pytest

from snow.synthesis import extract


def code(answer: str, language: str = "Python", cut: bool = False) -> extract.Code:
    return extract.code_of(textwrap.dedent(answer), language, cut)


def test_a_fenced_block_is_the_file_and_the_talk_around_it_is_not() -> None:
    found = code("Sure! Here it is:\n```python\nx = 1\n\ny = 2  \n```\nThis sets x.\n")
    assert found == extract.Code("x = 1\n\ny = 2\n", "Python", fenced=True)


def test_of_several_blocks_the_longest_in_the_language_asked_for_counts() -> None:
    answer = "```python\nx = 1\n```\nRun it:\n```bash\npython x.py --with --very --many --options\n```\n```python\nx = 1\ny = 2\n```\n"
    assert code(answer).text == "x = 1\ny = 2\n"
    assert code(answer, "Shell").text.startswith("python x.py")
    assert code(answer, "Go") == extract.Code("python x.py --with --very --many --options\n", "Shell", fenced=True)


@pytest.mark.parametrize(
    ("tag", "language"), [("cpp", "C++"), ("C", "C"), ("py", "Python"), ("", "Rust"), ("text", "Rust"), ("{.rust}", "Rust")]
)
def test_a_block_is_in_the_language_it_names(tag: str, language: str) -> None:
    assert code(f"```{tag}\nint x;\n```", "Rust").language == language


def test_an_answer_without_a_fence_is_the_file() -> None:
    assert code("\n\ndef f():\n    return 1\n\n") == extract.Code("def f():\n    return 1\n", "Python", fenced=False)


def test_an_answer_the_limit_cut_loses_its_unfinished_line() -> None:
    assert code("```c\nint a;\nint b", "C", cut=True).text == "int a;\n"
    assert code("int a;\nint b", "C", cut=True).text == "int a;\n"
    assert code("int a", "C", cut=True).text == ""
    assert code("```c\nint a;\nint b;\n```\nThis decl", "C", cut=True).text == "int a;\nint b;\n", (
        "the cut was in the talk, not in the code"
    )


@pytest.mark.parametrize("answer", ["", "  \n\n", "```python\n```", "```python\n\n\n```\n"])
def test_nothing_is_nothing(answer: str) -> None:
    assert code(answer).text == ""


def test_backticks_inside_the_code_do_not_end_it() -> None:
    assert code('```python\ns = "```"\nt = 1\n```\n').text == 's = "```"\nt = 1\n'


@pytest.mark.parametrize("text", ["def f(:\n", "x = 1\0\n", "(" * 5000 + ")" * 5000, "print 'x'\n"])
def test_what_python_cannot_read_is_noticed(text: str) -> None:
    assert extract.parse(text) is None


@pytest.mark.parametrize(
    ("text", "expected"), [("# only\n# comments\n", False), ('"""Text."""\n...\npass\n', False), ("import os\n", True)]
)
def test_files_without_statements_are_noticed(text: str, expected: bool) -> None:
    tree = extract.parse(text)
    assert tree
    assert extract.does_something(tree) is expected


def test_repeated_lines_are_counted_without_braces_and_blanks() -> None:
    assert extract.repeated_lines("a();\n  a();\n}\n}\n\n\nb();\n") == pytest.approx(1 / 3)
    assert extract.repeated_lines("}\n}\n") == 0.0


def test_overlap_is_the_share_of_the_file_that_is_its_seed() -> None:
    seed = "a b c d e f g h"
    assert extract.overlap(seed, seed, 5) == 1.0
    assert extract.overlap("a, b, c; d (e)", seed, 5) == 1.0, "punctuation and spacing do not hide a copy"
    assert extract.overlap("a b c d e f g h 1 2 3 4 5 6 7 8", seed, 5) == pytest.approx(4 / 12)
    assert extract.overlap("v w x y z", seed, 5) == 0.0
    assert extract.overlap("a b", seed, 5) == 0.0

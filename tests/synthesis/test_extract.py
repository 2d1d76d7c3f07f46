"""Which part of an answer is taken as the file, and what is noticed about it."""

from __future__ import annotations

import textwrap
import time

import pytest

from snow.synthesis import extract, markup

FENCE = "```"
SHARES = '''"""Split a total into shares."""


def shares(total, parts):
    """Give each part its share.

    ```python
    shares(10, 2)
    ```
    """
    base, rest = divmod(total, parts)
    return [base + (place < rest) for place in range(parts)]
'''
TEMPLATE = f"""#!/bin/bash
# Write the notes of a release.
cat > NOTES.md <<EOF
# Release $1

{FENCE}
pip install report
{FENCE}

and then

{FENCE}sh
report --all
{FENCE}
EOF
echo "written for $1"
"""


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


@pytest.mark.parametrize("mark", ["```", "~~~", "````", "~~~~~"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_fence_of_any_kind_and_any_line_end(mark: str, end: str) -> None:
    answer = f"Here you are.\n\n{mark}python\n{SHARES}{mark}\n\nIt splits a total. Hope it helps!\n".replace("\n", end)
    assert extract.code_of(answer, "Python", cut=False) == extract.Code(SHARES, "Python", fenced=True)


@pytest.mark.parametrize("rest", ["", "\nRun it:\n```sh\nbash notes.sh 1.0\n```\nIt prints:\n```\nwritten for 1.0\n```\n"])
def test_fences_of_the_same_length_inside_the_code_do_not_end_it(rest: str) -> None:
    answer = f"Sure.\n\n```bash\n{TEMPLATE}```\n{rest}"
    assert extract.code_of(answer, "Shell", cut=False).text == TEMPLATE


def test_a_fence_may_close_with_the_docstring_that_holds_it() -> None:
    program = SHARES.replace('    ```\n    """', '    ```"""')
    assert extract.code_of(f"```python\n{program}```\nThat's it.\n", "Python", cut=False).text == program


def test_a_comment_may_hold_many_fences() -> None:
    program = "/*\n" + "```\nnpm install report\n```\n" * 20 + "*/\nexport const one = 1;\n"
    assert extract.code_of(f"```js\n{program}```\nThat's it.\n", "JavaScript", cut=False).text == program


def test_backticks_that_are_strings_to_a_language_do_not_hide_an_end() -> None:
    program = (
        "function render(items) {\n  return items.length;\n}\n\nconst HELP = `\n```\nnpm install report\n```\n`;\n\nexport { HELP };\n"
    )
    for mark in ("```", "````"):
        assert extract.code_of(f"{mark}js\n{program}{mark}\nDone.\n", "JavaScript", cut=False).text == program
        assert extract.code_of(f"{mark}js\n{program}{mark}\n", "JavaScript", cut=False).text == program
    listing = "```\nIt prints what it is told to print:\n```\n[1, 2, 3]\n```\n"
    for part in ("function render(items) {\n  return items.;\n}\n", "total = items.length +\n"):
        assert extract.code_of(f"```js\n{part}{listing}", "JavaScript", cut=False).text == part


def test_an_unknown_languages_fences_pair() -> None:
    answer = "```markdown\n# Use\n```sh\nmake\n```\nDone.\n```\nThat is the file.\n"
    assert code(answer, "Markdown").text == "# Use\n```sh\nmake\n```\nDone.\n"


@pytest.mark.parametrize("lead", ["   ", "\t", "> ", "1. "])
def test_a_block_in_a_list_or_a_quotation_is_not_indented(lead: str) -> None:
    inside = lead if lead.isspace() or lead == "> " else "   "
    answer = f"The program:\n\n{lead}```python\n{textwrap.indent(SHARES, inside, lambda line: True)}{inside}```\n"
    assert extract.code_of(answer, "Python", cut=False).text == SHARES


def test_code_that_is_indented_less_than_its_fence_stays_as_it_is() -> None:
    assert extract.code_of(f"1. The program:\n\n   ```python\n{SHARES}   ```\n", "Python", cut=False).text == SHARES


DRAFT = "def bad(total):\n    # a draft that is longer than the answer and is rejected\n    while total:\n        total -= 2\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<think>\n", "\n</think>\n\n"),
        ("\n<Thinking>", "</Thinking>"),
        ("", "\n</think>\n"),
        ("", " So.</think>\n"),
        ("[THINK]", "[/THINK]"),
        ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    ],
)
def test_what_was_rejected_while_reasoning_is_not_the_answer(before: str, after: str) -> None:
    answer = f"{before}First try:\n```python\n{DRAFT}```\nNo, that hangs.{after}```python\nx = 1\n```\n"
    assert extract.code_of(answer, "Python", cut=False) == extract.Code("x = 1\n", "Python", fenced=True, reasoned=True)


def test_reasoning_without_an_end_is_no_answer() -> None:
    found = extract.code_of(f"<think>\nFirst try:\n```python\n{DRAFT}```\nNo, that", "Python", cut=True)
    assert (found.text, found.unanswered) == ("", True)


def test_code_about_reasoning_is_not_reasoning() -> None:
    program = 'import re\n\nEXAMPLE = """\n<think>\nWell.\n</think>\n"""\nANSWER = re.sub("<think>.*?</think>", "", EXAMPLE)\n'
    assert extract.code_of(f"```python\n{program}```\n", "Python", cut=False).text == program


@pytest.mark.parametrize(
    ("info", "language"),
    [
        ("py3", "Python"),
        ('python title="main.py"', "Python"),
        ("{.python .numberLines}", "Python"),
        ("src/main.rs", "Rust"),
        ("rust,ignore", "Rust"),
        ("kt", "Kotlin"),
        ("language-go", "Go"),
        ("postgresql", "SQL"),
        ("c++", "C++"),
        ("text", None),
        ("", None),
    ],
)
def test_the_first_word_behind_a_fence_names_the_language(info: str, language: str | None) -> None:
    assert markup.language_of(info) == language


def test_of_several_blocks_the_one_asked_for_counts_then_one_without_a_name() -> None:
    listing = "```\nA long listing of all that the program prints, and more of it\n```\n"
    assert code(f"{listing}```py3\nx = 1\n```\n").text == "x = 1\n"
    assert code("```python\nx = 1\n```\n```\nint total;\n```\n", "C").text == "int total;\n"
    assert code("```json\n{'a': 'long', 'list': 'of', 'values': 1}\n```\n```c\nint x;\n```\n").language == "C"


def test_a_block_that_parses_goes_before_a_longer_one_that_does_not() -> None:
    answer = "```python\ndef f(:\n    return 'this one is longer, but broken'\n```\nCorrected:\n```python\nx = 1\n```\n"
    assert code(answer).text == "x = 1\n"


def test_an_answer_that_goes_round_in_circles_is_read_in_time() -> None:
    started = time.process_time()
    code("```js\nlet x = (;\n```\n```\n" * 1500, "JavaScript")
    code("```python\nx = (\n" * 1500 + "```\n" * 1500)
    assert time.process_time() - started < 10


@pytest.mark.parametrize("rest", ["```", "```\n", "```\n\n" + "This program splits a total, whatever it is.\n" * 9])
def test_an_answer_may_begin_inside_its_block(rest: str) -> None:
    assert extract.code_of(SHARES + rest, "Python", cut=False).text == SHARES


def test_an_empty_block_is_not_taken_where_there_is_another() -> None:
    assert code("```python\n```\nOr rather:\n```python\nx = (1\n```\n").text == "x = (1\n"

"""The token pass: solutions under other names are found, in every suite, and what only looks alike is not."""

from __future__ import annotations

import gzip
import io
import keyword
import textwrap
import tokenize
from collections.abc import Callable
from pathlib import Path

import pytest
from corpus_stages import standard_library
from renaming import renamed

from snow import params as settings
from snow import schema
from snow.corpus import benchmarks as suites
from snow.corpus import renamed as pass_
from snow.corpus.python_tokens import NAME, NUMBER, tokens
from snow.suites.tasks import Task, read_suite
from tests.stage_runs import ROOT

TOKENS = schema.TokenRules(min_tokens=10, distinct=7, same_literals=20)  # what docs/decontamination.md measures
RULES = settings.load(ROOT / "params.yaml").decontamination.model_copy(update={"tokens": TOKENS})
HOST = next(text for _, text in standard_library(20) if "\ndef " in text).partition("\ndef ")
# Solutions with too few tokens to prove anything, under other names.
TOO_SHORT = {"BigCodeBench": 4, "EvoEval_difficult": 0, "EvoEval_subtle": 11, "EvoEval_tool_use": 6, "HumanEvalPlus": 16, "MbppPlus": 59}


@pytest.fixture(scope="module", params=sorted(TOO_SHORT))
def suite(request: pytest.FixtureRequest, benchmarks: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("suite") / f"{request.param}.jsonl"
    path.write_bytes(gzip.decompress((benchmarks / f"{request.param}.jsonl.gz").read_bytes()))
    return path


@pytest.fixture(scope="module")
def known(suite: Path) -> suites.Benchmarks:
    return suites.read([suite], RULES)


def program(task: Task) -> str:
    return task.code + task.solution


def embedded(code: str) -> str:
    """In the middle of another file, as a method of a class."""
    return "\n".join([HOST[0], "class Other:", textwrap.indent(code, "    "), *HOST[1:]])


def without_comments(code: str) -> str:
    lines = code.split("\n")
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT:
            line, column = token.start
            lines[line - 1] = lines[line - 1][:column].rstrip()
    return "\n".join(lines)


PLANTED: dict[str, Callable[[str], str]] = {
    "verbatim": str,
    "indented": lambda code: textwrap.indent(code.replace("    ", "\t"), "  "),
    "upper-cased": str.upper,
    "embedded": embedded,
    "without comments": without_comments,
    "renamed": lambda code: embedded(renamed(code, statements=True)),
}


@pytest.mark.parametrize("how", PLANTED)
def test_every_problem_is_found(suite: Path, known: suites.Benchmarks, how: str) -> None:
    missed = [task.task_id for task in read_suite(suite) if task.task_id not in found(known, PLANTED[how](program(task)))]
    assert not missed


def found(known: suites.Benchmarks, text: str) -> set[str]:
    return {match.task_id for match in known.find(text)}


def styled(code: str) -> str:
    """The same code as another formatter might write it: by two blanks, with comments, brackets on lines of their own."""
    lines = []
    for line in code.split("\n"):
        indent = len(line) - len(line.lstrip())
        lines += [" " * (indent // 2) + line.lstrip().replace(" = (", " = (  # so\n") + "  # step", ""]
    return "\n".join(lines)


@pytest.mark.parametrize("how", [embedded, styled])
def test_solutions_without_their_statements_are_found_renamed(suite: Path, known: suites.Benchmarks, how: Callable[[str], str]) -> None:
    """All but the short ones; and no more is missed than is not looked for."""
    assert known.solutions is not None
    short = {task.task_id for task in read_suite(suite)} - {task_id for tasks in known.solutions.tasks for _, task_id in tasks}
    missed = {task.task_id for task in read_suite(suite) if task.task_id not in found(known, how(renamed(program(task))))}
    assert missed <= short
    assert len(short) == TOO_SHORT[suite.stem]


GIVEN = '''
def longest(words, least=2):
    """The longest of them that occurs often enough."""
    counts = {}
    for word in words:  # one by one
        counts[word] = counts.get(word, 0) + 1
    often = [word for word in words if counts[word] >= least]
    if not often:
        return None
    else:
        if len(often) == 1:
            return often[0]
    return max(often, key=len)
'''


def index(source: str, **rules: int) -> pass_.Index:
    task = Task("T/0", "", source.split("(")[0].split()[-1], source, (), "", "humaneval", "")
    made = pass_.build([("suite", task)], TOKENS.model_copy(update=rules))
    assert made is not None
    return made


def changed(*exchanges: tuple[str, str]) -> str:
    text = GIVEN
    for old, new in exchanges:
        assert old in text
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize(
    "copy",
    [
        GIVEN,
        changed(("word", "w"), ("counts", "seen"), ("longest", "f")),
        changed(("counts", "Zähler"), ("words", "wörter")),
        changed(("max(often, key=len)", "max(often, key=len,)"), ("return None", "return (None)")),
        changed(("    else:\n        if len(often) == 1:\n            return often[0]", "    elif len(often) == 1: return often[0]")),
        changed(("    counts = {}\n", "    counts = {};\n    'no statement'\n    import os; from sys import (\n        argv,\n    )\n")),
        changed(("counts[word] = counts.get(word, 0) + 1", "counts[word] = \\\n        counts.get(\n word,\n 0) + 1")),
        "print 'Python 2', `x`\nexec code in scope\n" + GIVEN + "\nif broken(:\n",
        "It's prose (unbalanced\n\n```python" + GIVEN + "```\n",
        GIVEN.replace("\n", "\r\n"),
        GIVEN.replace("    ", "\u00a0\u00a0"),
    ],
)
def test_a_copy_is_found(copy: str) -> None:
    assert [match.task_id for match in pass_.find(index(GIVEN), copy)] == ["T/0"]


@pytest.mark.parametrize(
    "other",
    [
        changed(("word in words:", "word in least:")),  # a name exchanged for another that is there already
        changed((".get(", ".pop(")),
        changed(("max(", "min(")),
        changed(("key=len", "default=len")),
        changed((" + 1", " - 1")),
        changed(("return max(often, key=len)", "return max(often, key=len) + often[0]")),
        changed(("return None", "return words")),
        changed(("counts = {}", "x.counts = {}")),
        "",
        "'''" + GIVEN,
        "\n".join(f"# {line}" for line in GIVEN.split("\n")),
    ],
)
def test_another_program_is_not(other: str) -> None:
    assert pass_.find(index(GIVEN), other) == []


def test_literals_count_by_kind_or_in_short_solutions_by_value() -> None:
    source = "def f(a, b):\n    return [c * 2.50 + a for c in b if c != 'x\\n']\n"
    same = source.replace("2.50", "2.5").replace("'x\\n'", '("x"\n r"\\n")')
    other = source.replace("2.50", "3").replace("'x\\n'", "'y'")
    assert [len(pass_.find(index(source, same_literals=least), text)) for least in (0, 100) for text in (same, other)] == [1, 1, 1, 0]


def test_short_solutions_are_not_looked_for() -> None:
    task = Task("T/0", "", "f", "def f(x, y):\n    return x + y\n", (), "", "humaneval", "")
    assert pass_.build([("suite", task)], TOKENS) is None
    assert pass_.build([("suite", task)], schema.TokenRules(min_tokens=4, distinct=3, same_literals=0)) is not None


def test_names_and_numbers_are_those_of_pythons_tokenizer() -> None:
    for name, text in standard_library(60):
        read = tokens(text)
        chosen = (read.symbols == NAME) | (read.symbols == NUMBER)
        ours = [read.data[begin:end].decode() for begin, end in zip(read.begins[chosen], read.ends[chosen], strict=True)]
        assert ours == by_tokenize(read.data.decode()), name


def by_tokenize(text: str) -> list[str]:
    """Names that are no keywords or attributes, and numbers, of all statements but imports."""
    found, statement = [], [""]
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NEWLINE:
            statement = [""]
        if token.type in (tokenize.NL, tokenize.COMMENT, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT):
            continue
        name = token.type == tokenize.NAME and not keyword.iskeyword(token.string) and statement[-1] != "."
        statement.append(token.string)
        if statement[1] not in ("import", "from") and (name or token.type == tokenize.NUMBER):
            found.append(token.string)
    return found

"""The comment share is that of a lexer on real files, and of what the eye says elsewhere, in bounded time on any text."""

from __future__ import annotations

import ast
import functools
import io
import sysconfig
import time
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from corpus_stages import standard_library
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, String

from snow.corpus import comments
from snow.params import load

PACKAGES = Path(sysconfig.get_path("purelib"))
PATTERNS = {  # real files of the installed packages
    "C": (Path(sysconfig.get_path("include")), "*.h"),
    "C++": (PACKAGES, "pyarrow/include/arrow/util/*.h"),
    "Cython": (PACKAGES, "pyarrow/*.pyx"),
    "Fortran": (PACKAGES, "numpy/f2py/tests/src/**/*.f90"),
    "CSS": (PACKAGES, "**/*.css"),
    "JavaScript": (PACKAGES, "**/*.js"),
    "HTML": (PACKAGES, "**/*.html"),
}


@functools.cache
def is_comment(kind: Any) -> bool:
    """Preprocessor lines, which pygments files under comments, are code."""
    return (kind in Comment and kind not in Comment.Preproc and kind is not Comment.PreprocFile) or kind in String.Doc


def lexed(text: str, language: str) -> float:
    lexer = get_lexer_by_name(language.lower(), stripnl=False, ensurenl=False)
    return sum(len(part) for kind, part in lexer.get_tokens(text) if is_comment(kind)) / len(text)


def files(language: str) -> Iterator[tuple[str, str]]:
    """Up to 12 real files of a language, small enough for pygments."""
    folder, pattern = PATTERNS[language]
    texts = ((path.name, path.read_text(encoding="utf-8")) for path in sorted(folder.glob(pattern)))
    yield from [(name, text) for name, text in texts if 300 < len(text) < 20_000][:12]


@pytest.mark.parametrize("language", PATTERNS)
def test_shares_agree_with_pygments_on_real_files(language: str) -> None:
    found = list(files(language))
    if not found:
        pytest.skip(f"no {language} file among the installed packages")
    for name, text in found:
        assert comments.share(text, language) == pytest.approx(lexed(text, language), abs=0.03), name


def test_python_agrees_with_pygments_and_with_bigcodes_reading() -> None:
    for name, text in standard_library(6):
        share = comments.share(text, "Python")
        assert share == pytest.approx(lexed(text, "Python"), abs=0.002), name
        assert share == pytest.approx(tokenized(text) / len(text), abs=0.03), name


def tokenized(text: str) -> int:
    """Characters in tokenize's comments and ast's docstrings."""
    found = [token.string for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type == tokenize.COMMENT]
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, documented)]
    return sum(map(len, found)) + sum(len(ast.get_docstring(node, clean=False) or "") for node in nodes)


# What stands between « and » is comment.
MARKED = [
    ("C", '#include <a.h>\nchar *s = "/* no */ // no";\n«// yes "»\nchar c = \'"\'; «/* yes\n * yes **/» int x;\n'),
    ("C++", "int n = 1'000'000; «// yes»\nauto c = '\\'';«/**/»"),
    ("Java", 'String s = "\\"// no"; «/** yes */»\n'),
    ("C#", 'var s = "http://no"; «// yes»\n'),
    ("Rust", "fn f<'a>(x: &'a str) {} «// it's»\nlet c = '\"'; «// yes»\n"),
    ("Go", "s := `// no\n/* no`\n«// yes»\n"),
    ("JavaScript", "s = `// no\n`; «// yes»\nr = /[\"'`//]/; «/* yes */» t = a / b / c; «// yes»\n"),
    ("TypeScript", "const s = '// no'; «// yes»\n"),
    ("Kotlin", 'val s = """// no\n/* no"""; «// yes»\n'),
    ("Scala", 'val s = "no // no" «// yes»\nval t = \'symbol «// yes»\n'),
    ("Swift", 'let s = "\\(x) // no" «// yes»\n'),
    ("Dart", "var s = 'no // no'; «/// yes»\n"),
    ("PHP", "<?php $a = '# no'; «# yes»\n#[Attribute]\n«// yes»\n"),
    ("SQL", "SELECT '-- no' «-- yes»\nFROM t «/* yes */»;\n"),
    ("Shell", "«#!/bin/sh»\necho $# ${x#no} '# no' «# yes»\n"),
    ("Ruby", '«=begin\nyes\n=end» puts "#{no}" «# yes»\n'),
    ("Fortran", "print *, '! no' «! yes»\n"),
    ("CSS", "a { b: '/* no */' } «/* yes */»\n"),
    ("HTML", "<p>// no</p><style><!-- no --></style>«<!-- yes - -- -->»<SCRIPT>/* no */</SCRIPT>«<!-- yes»"),
    ("YAML", "a: b#no «# yes»\n"),
    ("Python", "def f():\n    «r'''yes # yes'''»\n    x = '''no\n# no'''  «# yes»\n    return \"# no\" '# no'\n"),
    ("Python", "x = '''never closed\n# no\n"),
]


@pytest.mark.parametrize(("language", "marked"), MARKED)
def test_what_is_comment_and_what_is_not(language: str, marked: str) -> None:
    text = marked.replace("«", "").replace("»", "")
    expected = sum(len(part.partition("»")[0]) for part in marked.split("«")[1:])
    share = comments.share(text, language)
    assert share is not None
    assert round(share * len(text)) == expected


def test_every_language_of_the_recipe_is_known_but_for_notebooks() -> None:
    known = load(Path(__file__).parents[2] / "params.yaml").languages
    assert [language for language in known if comments.share("x", language) is None] == ["Jupyter Notebook"]
    assert comments.share("", "C") == 0


SIZE = 3_000_000
HOSTILE = (
    '"""',
    '"""\\',
    "'''\\",
    "\"'",
    " \t",
    "\n",
    "#",
    "/*",
    "/**",
    "<!--",
    "<style",
    "`",
    "=/[",
    "=/\\",
    "'\\\n",
    "\n=begin",
    "--",
    "$#",
)


@pytest.mark.parametrize("part", HOSTILE)
def test_a_hostile_document_takes_less_than_a_second(part: str) -> None:
    text = part * (SIZE // len(part))
    for language in ("Python", "C", "JavaScript", "HTML", "Ruby", "Kotlin"):
        start = time.process_time()
        comments.share(text, language)
        assert time.process_time() - start < 1, language

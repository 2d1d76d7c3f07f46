"""Whether code can be read in its language: Python by this interpreter, SQL by sqlglot, the others by their tree-sitter grammar.

Nothing is executed. Files that people wrote and that compile are read by these grammars: of 2,400 in the repositories of
TheAlgorithms 17 are refused, all but two of them in C, C++ (macros) and Ruby; of 175 CUDA samples 19. For SQL, sqlglot reads 253 of
269 files and exercises, the grammar 200. HTML and CSS are not judged: browsers read anything, the grammars refused 23 of 90 files.
"""

from __future__ import annotations

import ast
import importlib
import logging
from functools import cache
from typing import TYPE_CHECKING

from snow.corpus import notebooks
from snow.suites.tasks import parsed

if TYPE_CHECKING:
    import tree_sitter

# A language's module, and its grammars where there are more than `language`: code is read when one of them reads it.
GRAMMARS = {
    "C": ("tree_sitter_c",),
    "C#": ("tree_sitter_c_sharp",),
    "C++": ("tree_sitter_cpp",),
    "CUDA": ("tree_sitter_cuda",),
    "Dart": ("tree_sitter_dart",),
    "Fortran": ("tree_sitter_fortran",),
    "Go": ("tree_sitter_go",),
    "Java": ("tree_sitter_java",),
    "JavaScript": ("tree_sitter_javascript",),
    "Kotlin": ("tree_sitter_kotlin",),
    "PHP": ("tree_sitter_php", "language_php"),
    "Ruby": ("tree_sitter_ruby",),
    "Rust": ("tree_sitter_rust",),
    "Scala": ("tree_sitter_scala",),
    "Shell": ("tree_sitter_bash",),
    "Swift": ("tree_sitter_swift",),
    "TypeScript": ("tree_sitter_typescript", "language_typescript", "language_tsx"),
}
LANGUAGES = frozenset({"Python", "SQL", notebooks.LANGUAGE, *GRAMMARS})  # those there is a parser for
_SQL_DIALECTS = (None, "postgres", "mysql", "tsql", "oracle", "sqlite", "bigquery", "snowflake")  # None: what most of them share


def parses(code: str, language: str) -> bool | None:
    """Whether code is of its language as a whole; None when there is no parser for the language here."""
    if language == "Python":
        return tree(code) is not None
    if language == "SQL":
        return _is_sql(code)
    if language == notebooks.LANGUAGE:
        return notebooks.script(code) is not None
    if language not in GRAMMARS:
        return None
    return any(_is_read(parser, code.encode()) for parser in _parsers(code, language))


def tree(code: str) -> ast.Module | None:
    """The syntax tree of Python code, or None when this interpreter cannot read it."""
    try:
        return parsed(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # NUL bytes; nesting beyond the parser's stack
        return None


def does_something(code: str, language: str) -> bool:
    """Whether there is more than comments and, in Python, than strings, `...` and `pass` at the top level.

    True where that cannot be said: the code does not parse, or there is no grammar for the language here.
    """
    if language == "Python":
        module = tree(code)
        return module is None or any(
            not isinstance(statement, ast.Pass) and not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
            for statement in module.body
        )
    return language not in GRAMMARS or any(
        "comment" not in node.type for node in _parsers(code, language)[0].parse(code.encode()).root_node.named_children
    )


def _parsers(code: str, language: str) -> list[tree_sitter.Parser]:
    module, *entries = GRAMMARS[language]
    if language == "PHP" and not code.lstrip().startswith(("<", "#!")):
        entries = ["language_php_only"]  # else it is text up to the first tag, in which nothing is wrong
    return [_parser(module, entry) for entry in entries or ["language"]]


@cache
def _parser(module: str, entry: str) -> tree_sitter.Parser:
    from tree_sitter import Language, Parser

    return Parser(Language(getattr(importlib.import_module(module), entry)()))


def _is_read(parser: tree_sitter.Parser, code: bytes) -> bool:
    root = parser.parse(code).root_node
    last = code[root.named_children[-1].start_byte :].strip() if root.named_children else b""
    # Not every grammar minds a comment without an end.
    return not root.has_error and (not last.startswith(b"/*") or last.endswith(b"*/"))


def _is_sql(code: str) -> bool:
    import sqlglot
    from sqlglot import errors, exp

    logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns of statements that it takes as they are
    for dialect in _SQL_DIALECTS:
        try:
            statements = sqlglot.parse(code, dialect=dialect)
        except (errors.SqlglotError, RecursionError):
            continue
        # None is a comment alone. A name or a comparison alone reads as an expression, and so do many words of prose.
        found = [each for each in statements if each is not None]
        return bool(found) and not any(isinstance(each, exp.Condition | exp.Alias) for each in found)
    return False

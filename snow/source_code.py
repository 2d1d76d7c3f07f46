"""The digest of a stage's own code: its module and every `snow` module it imports, down to the meaning.

Comments, docstrings, formatting and annotations that only type checkers read (`if TYPE_CHECKING:`) do not enter. The syntax
tree is written down field by field with absent and empty fields left out, because `ast.dump` prints the same tree
differently on different Pythons; the digest is therefore equal on every version snow supports.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import json
from pathlib import Path
from typing import Any

from snow.digest import replace

PACKAGE = Path(__file__).parent
MEMO = Path(".snow/code")
VERSION = 2  # of this serialisation; it enters every digest


def module_path(name: str) -> Path | None:
    """The source file of a module of `snow`, or None when there is none of that name."""
    base = PACKAGE.joinpath(*name.split(".")[1:])
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def closure(module: str) -> tuple[str, ...]:
    """`module` and every module of `snow` it imports, directly or not, sorted; package `__init__` files on the way included,
    but for that of `snow` itself, which holds the version."""
    seen: set[str] = set()
    queue = [module]
    while queue:
        name = queue.pop()
        if name in seen or name == PACKAGE.name or module_path(name) is None:
            continue
        seen.add(name)
        queue.extend(_facts(name)["imports"])
        if "." in name:
            queue.append(name.rpartition(".")[0])
    return tuple(sorted(seen))


def symbols(module: str) -> dict[str, str]:
    """Digest per top-level definition of one module: `{"snow.x.function": hex}`; other statements together under `snow.x`."""
    return _facts(module)["symbols"]


def table(module: str) -> dict[str, str]:
    """Digest per top-level definition of the closure of a stage's module."""
    return {symbol: value for name in closure(module) for symbol, value in sorted(symbols(name).items())}


@functools.cache
def digest(module: str) -> str:
    """SHA-256 over the closure of a stage's module."""
    whole = hashlib.sha256(f"snow-code-{VERSION}".encode())
    for symbol, value in table(module).items():
        whole.update(f"{symbol} {value}\n".encode())
    return whole.hexdigest()


def changed(module: str) -> list[str]:
    """Which modules of the closure of a stage's module mean something else now than when this process computed the digest."""
    return [name for name in closure(module) if _state(name) != _facts(name)["state"] and _reads_otherwise(name)]


def forget() -> None:
    """Look at every module anew from now on."""
    _facts.cache_clear()
    digest.cache_clear()


def _reads_otherwise(module: str) -> bool:
    try:
        return _read(module)["symbols"] != symbols(module)
    except (ModuleNotFoundError, FileNotFoundError, SyntaxError):
        return True


def _state(module: str) -> list[Any] | None:
    path = module_path(module)
    if path is None:
        return None
    status = path.stat()
    return [VERSION, str(path.relative_to(PACKAGE)), status.st_size, status.st_mtime_ns]


@functools.cache
def _facts(module: str) -> dict[str, Any]:
    return _read(module)


def _read(module: str) -> dict[str, Any]:
    """`symbols` and `imports` of a module, remembered by the file's size and time: parsing everything at every start is slow."""
    path, state = module_path(module), _state(module)
    if path is None:
        raise ModuleNotFoundError(module)
    memo = MEMO / f"{module}.json"
    try:
        remembered = json.loads(memo.read_bytes())
        if remembered["state"] == state:
            return remembered
    except (FileNotFoundError, ValueError, KeyError):
        pass  # not parsed yet, or a torn memo
    tree = _Bare().visit(ast.parse(path.read_text(), filename=str(path)))
    facts = {"state": state, "symbols": _symbols(module, tree), "imports": _imports(tree)}
    if MEMO.parent.is_dir():
        replace(memo, json.dumps(facts))
    return facts


def keep_table(module: str) -> None:
    """Keep the table behind today's digest, so that `snow why` can name what of it changes; by digest, written once."""
    path = MEMO / "tables" / f"{digest(module)}.json"
    if not path.exists():
        replace(path, json.dumps(table(module)))


def kept_table(value: str) -> dict[str, str] | None:
    """The table behind a digest that was current here once; None for any other."""
    try:
        return json.loads((MEMO / "tables" / f"{value}.json").read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def _symbols(module: str, tree: ast.Module) -> dict[str, str]:
    parts: dict[str, list[str]] = {}
    for statement in tree.body:
        name = getattr(statement, "name", None)
        parts.setdefault(f"{module}.{name}" if name else module, []).append(_spell(statement))
    return {name: hashlib.sha256("\n".join(texts).encode()).hexdigest() for name, texts in parts.items()}


class _Bare(ast.NodeTransformer):
    """Removes docstrings, blocks that only type checkers execute, and what Python 3.12 alone adds to a tree."""

    def visit_If(self, node: ast.If) -> Any:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return self.visit(ast.Module(node.orelse, [])).body  # the other branch is what is executed
        return self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        node.values = [value for value in node.values if not (isinstance(value, ast.Constant) and value.value == "")]
        return self.generic_visit(node)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if documented and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
        return super().generic_visit(node)


def _spell(node: object) -> str:
    if isinstance(node, ast.AST):
        fields = []
        for name in node._fields:
            value = getattr(node, name, None)
            if name in ("ctx", "kind", "type_comment") or value is None or value == []:
                continue
            fields.append(f"{name}={_spell(value)}")
        return f"{type(node).__name__}({','.join(fields)})"
    if isinstance(node, list):
        return f"[{','.join(_spell(item) for item in node)}]"
    return f"{type(node).__name__}:{node!a}"  # repr leaves as they are what characters its Python's Unicode knows


def _imports(tree: ast.Module) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] == PACKAGE.name]
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == PACKAGE.name:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found

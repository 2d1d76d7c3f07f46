"""What a solution must not do when its tests share its interpreter, read from its source; nothing is executed.

A flagged solution does not pass, whatever its tests say. What is named here is what forges: unittest and what compares, frames and
the garbage collector, exits, the descriptors of the verdict, code of other modules replaced, answers that decide themselves what they are
equal to. No canonical solution of BigCodeBench does any of it. `snow.evaluate.audit` sees at run time what source can hide.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from snow.suites.tasks import parsed


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


MODULES = _words("_ctypes _testcapi _testinternalcapi atexit bdb builtins faulthandler gc marshal pdb posix pytest snow trace")
# Reached through any object.
ATTRIBUTES = _words(
    "_current_exceptions _current_frames _exit _getframe abort addaudithook ag_frame cr_frame currentframe excepthook f_back f_builtins "
    "f_code f_globals f_locals f_trace get_objects get_referents get_referrers getinnerframes getouterframes gi_code gi_frame pythonapi "
    "py_object register_at_fork setprofile settrace tb_frame tb_lasti tb_next unraisablehook walk_stack walk_tb __base__ "
    "__bases__ __builtins__ __closure__ __code__ __globals__ __mro__ __self__ __subclasses__ __traceback__"
)
OF_MODULES = {  # reached through one
    "os": _words("dup dup2 fork forkpty pread preadv read readv sendfile set_inheritable splice write writev"),
    "sys": frozenset({"modules", "displayhook"}),
    "inspect": frozenset({"stack", "trace"}),
    "numpy": frozenset({"testing"}),
    "pandas": frozenset({"testing", "_testing"}),
}
UNITTEST = ("unittest", "mock")
NAMES = frozenset({"TestCases", "__builtins__", "globals", "__import__"})
ARGUMENTS = frozenset({"pass_fds", "fileno"})  # of Popen and socket
# Special methods that decide no comparison; every other one that a solution defines is flagged.
METHODS = frozenset(
    f"__{name}__"
    for name in _words(
        "init new post_init enter exit aenter aexit iter next aiter anext call getitem setitem delitem repr str hash del "
        "len slots doc all name main file version author annotations dict path license copyright email status"
    )
)
SETTINGS = _words("options rcParams stdout stderr stdin")  # of other modules, that may be set


def reason(solution: str) -> str:
    """The first thing in a solution that could forge a verdict, or nothing; nothing for what does not parse, which cannot run."""
    try:
        tree = parsed(solution)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    return next(_Reader(tree).found(), "")


class _Reader:
    """A solution's tree, with the module that each imported name comes from."""

    def __init__(self, tree: ast.Module) -> None:
        self._tree, self._origin = tree, dict[str, str]()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for one in node.names:
                    self._origin[one.asname or one.name.partition(".")[0]] = one.name if one.asname else one.name.partition(".")[0]
            elif isinstance(node, ast.ImportFrom):
                for one in node.names:
                    self._origin[one.asname or one.name] = f"{node.module or ''}.{one.name}"
        self._bases = {
            id(part) for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for base in node.bases for part in ast.walk(base)
        }

    def found(self) -> Iterator[str]:
        for node in ast.walk(self._tree):
            match node:
                case ast.Import():
                    yield from (f"imports {one.name}" for one in node.names if self._forbidden(one.name))
                case ast.ImportFrom():
                    yield from (f"imports {node.module}.{one.name}" for one in node.names if self._forbidden(f"{node.module}.{one.name}"))
                case ast.Name():
                    yield from self._name(node)
                case ast.Attribute():
                    yield from self._attribute(node)
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if _special(name):
                    yield f"defines {name}"
                case ast.Constant() | ast.BinOp() if _special(text := _text(node)) or text in ATTRIBUTES:
                    yield f"names {text}"
                case ast.keyword(arg=str(name)) if name in ARGUMENTS:
                    yield f"passes {name}"
                case ast.Call(func=ast.Name(id="setattr" | "delattr" | "vars" as called), args=[first, *_]) if self._root(first):
                    yield f"{called} of {ast.unparse(first)}"
                case _:
                    pass

    def _name(self, node: ast.Name) -> Iterator[str]:
        if node.id in NAMES or (isinstance(node.ctx, ast.Store) and _special(node.id)):
            yield f"names {node.id}"
        if self._origin.get(node.id, "").startswith(UNITTEST) and id(node) not in self._bases and node.id not in ("unittest", "main"):
            yield f"uses {self._origin[node.id]}"

    def _attribute(self, node: ast.Attribute) -> Iterator[str]:
        root = self._root(node)
        if node.attr in ATTRIBUTES or node.attr in OF_MODULES.get(root.partition(".")[0], ()) or self._forbidden(f"{root}.{node.attr}"):
            yield f"reaches {ast.unparse(node)[-100:]}"
        elif root.startswith(UNITTEST) and id(node) not in self._bases and node.attr != "main":
            yield f"uses {ast.unparse(node)[-100:]}"
        elif root and node.attr == "__dict__":
            yield f"reaches {ast.unparse(node)[-100:]}"
        elif not isinstance(node.ctx, ast.Load) and (
            _special(node.attr) or (root and not node.attr.isupper() and not self._settings(node))
        ):
            yield f"sets {ast.unparse(node)[-100:]}"

    def _root(self, node: ast.expr) -> str:
        """The module or its name that a chain of attributes begins with, or nothing."""
        while isinstance(node, ast.Attribute):
            node = node.value
        return self._origin.get(node.id, "") if isinstance(node, ast.Name) else ""

    def _settings(self, node: ast.expr) -> bool:
        """Whether what is set is a setting that its module offers."""
        while isinstance(node, ast.Attribute):
            if node.attr in SETTINGS:
                return True
            node = node.value
        return False

    def _forbidden(self, name: str) -> bool:
        first, _, rest = name.partition(".")
        parts = rest.split(".")
        return first in MODULES or any(part in OF_MODULES.get(first, ()) or part in ATTRIBUTES for part in parts)


def _text(node: ast.expr) -> str:
    """The text of a literal, or of several that are added."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _text(left) + _text(right)
        case _:
            return ""


def _special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__") and len(name) > 4 and name not in METHODS

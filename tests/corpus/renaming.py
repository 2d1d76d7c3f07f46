"""A renamer as people use one: every name a program chose is another, through `ast`, with the layout that `ast.unparse` gives."""

from __future__ import annotations

import ast

from snow.suites.tasks import parsed


def renamed(program: str, statements: bool = False) -> str:
    """The program with new names for its functions, classes, parameters and variables; without docstrings, unless `statements` stay."""
    tree = parsed(program)
    nodes = list(ast.walk(tree))
    parameters = {node.arg for node in nodes if isinstance(node, ast.arg)}
    own = parameters | {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    own |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    own |= {node.name for node in nodes if isinstance(node, ast.ExceptHandler) and node.name}
    own -= {node.asname or node.name for node in nodes if isinstance(node, ast.alias)}
    renamer = _Renamer(
        {name: f"{'ab'[i % 2]}{i}_new" for i, name in enumerate(sorted(own)) if not name.startswith("__")}, parameters, statements
    )
    return ast.unparse(ast.fix_missing_locations(renamer.visit(tree)))


class _Renamer(ast.NodeTransformer):
    def __init__(self, names: dict[str, str], parameters: set[str], statements: bool) -> None:
        self.names, self.parameters, self.statements = names, parameters, statements

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self.names.get(node.id, node.id)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.arg = self.names.get(node.arg, node.arg)
        return self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> ast.AST:
        if node.arg in self.parameters:
            node.arg = self.names.get(node.arg, node.arg)
        return self.generic_visit(node)

    def visit_Nonlocal(self, node: ast.Nonlocal) -> ast.AST:
        node.names = [self.names.get(name, name) for name in node.names]
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        node.name = node.name and self.names.get(node.name, node.name)
        return self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._defined(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._defined(node)

    def _defined(self, node: ast.FunctionDef | ast.ClassDef) -> ast.AST:
        if not self.statements and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        node.name = self.names.get(node.name, node.name)
        return self.generic_visit(node)

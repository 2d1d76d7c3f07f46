"""Jupyter notebooks as scripts: their cells in order, without outputs, metadata and attachments.

StarCoder's rendering (bigcode-dataset jupyter_script_conversion.py), which is Jupytext's script: code cells as they are, all other cells
(Markdown, raw, the headings of format 3) as comments of the notebook's language, a blank line between cells. Unlike Jupytext's it has no
YAML header and leaves magics (`%matplotlib inline`) as they stand.
"""

from __future__ import annotations

import json
from typing import Any

LANGUAGE = "Jupyter Notebook"
_MARKS = {  # what begins a comment in a kernel's language, where that is not `#`
    **dict.fromkeys(("c", "c#", "csharp", "f#", "fsharp", "go", "groovy", "java", "javascript", "kotlin"), "//"),
    **dict.fromkeys(("rust", "scala", "swift", "typescript"), "//"),
    **dict.fromkeys(("haskell", "lua", "sql"), "--"),
    **dict.fromkeys(("clojure", "common-lisp", "scheme"), ";;"),
    **dict.fromkeys(("erlang", "matlab", "octave", "prolog"), "%"),
}


def script(text: str) -> str | None:
    """A notebook of any format from 2 on as a script, "" when no cell holds text; None for what is no notebook."""
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError):
        return None
    cells = _cells(notebook)
    if cells is None:
        return None
    line_end = "\n" if notebook.get("nbformat") == 2 else ""  # later formats keep the ends of a source's lines
    mark, blocks = _mark(notebook, cells), []
    for cell in cells:
        source = cell.get("source") or cell.get("input") or ""  # `input`: code of formats before 4
        if isinstance(source, list) and all(isinstance(line, str) for line in source):
            source = line_end.join(source)
        if not isinstance(source, str):
            return None
        if source and not source.isspace():
            blocks.append(_block(cell, source.strip("\r\n"), mark) + "\n")
    return "\n".join(blocks)


def _cells(notebook: Any) -> list[dict[str, Any]] | None:
    """All cells, which before format 4 lie in worksheets."""
    sheets = _at(notebook, "worksheets") if _at(notebook, "cells") is None else [notebook]
    lists = [_at(sheet, "cells") for sheet in sheets] if isinstance(sheets, list) else [None]
    if not all(isinstance(cells, list) and all(isinstance(cell, dict) for cell in cells) for cells in lists):
        return None
    return [cell for cells in lists for cell in cells or ()]


def _mark(notebook: Any, cells: list[dict[str, Any]]) -> str:
    stated = [_at(notebook, "metadata", "kernelspec", "language"), _at(notebook, "metadata", "language_info", "name")]
    stated += [cell.get("language") for cell in cells]  # before format 4
    language = next((name.casefold() for name in stated if isinstance(name, str)), "python")
    return "//" if language.startswith("c++") else _MARKS.get(language, "#")


def _block(cell: dict[str, Any], source: str, mark: str) -> str:
    if cell.get("cell_type") == "code":
        return source
    title = "# " if cell.get("cell_type") == "heading" else ""
    return "\n".join(f"{mark} {title}{line}".rstrip() for line in source.splitlines())


def _at(value: Any, *keys: str) -> Any:
    """What nested objects hold under these keys, None where they do not."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value

"""A small real corpus: standard library packages as repositories."""

from __future__ import annotations

import json
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from snow.tables import DOCUMENTS, TableWriter, document_id

SPECIAL = ("<|endoftext|>", "<repo_name>", "<file_sep>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>")
REPOSITORIES = ("json", "email", "logging", "unittest", "asyncio", "xml")


def document(repo: str, path: str, language: str, content: str) -> dict[str, Any]:
    """A row of the documents table."""
    size = len(content.encode())
    names = {"repo": repo, "path": path, "language": language, "license": "PSF-2.0"}
    return {"id": document_id(content), **names, "content": content, "size": size}


def corpus() -> list[dict[str, Any]]:
    """Every module of a few standard library packages, in the order of their files, and one file in C between them."""
    library = Path(sysconfig.get_paths()["stdlib"])
    found = []
    for repo in REPOSITORIES:
        files = ((path.name, path.read_text()) for path in sorted((library / repo).glob("*.py")))
        found += [document(repo, name, "Python", content) for name, content in files if content]
        if repo == "logging":
            found.append(document(repo, "main.c", "C", "int main(void) {\n    return 0; /* 12345 */\n}\n"))
    return found


def write_documents(path: Path, documents: Sequence[dict[str, Any]]) -> Path:
    """A document shard."""
    with TableWriter(path, DOCUMENTS) as table:
        table.write_all(documents)
    return path


def write_heldout(path: Path, repositories: Sequence[str]) -> Path:
    """What `snow holdout` writes."""
    path.write_text(json.dumps({"repositories": list(repositories)}))
    return path

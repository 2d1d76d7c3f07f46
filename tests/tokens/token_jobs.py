"""A small real corpus, standard library packages as repositories, and the token stages run on it as their jobs would."""

from __future__ import annotations

import importlib
import json
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from snow import overlay
from snow import params as settings
from snow.job import Job
from snow.stages import STAGES
from snow.tables import DOCUMENTS, TableWriter, document_id

ROOT = Path(__file__).parents[2]
SPECIAL = ("<|endoftext|>", "<repo_name>", "<file_sep>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>")
REPOSITORIES = ("json", "email", "logging", "unittest", "asyncio", "xml")


def run(
    stage: str,
    folder: Path,
    instance: str,
    inputs: Mapping[str, Path | Sequence[Path]],
    outputs: Mapping[str, Path],
    **sections: dict[str, Any],
) -> dict[str, Any]:
    """The facts of one job with the pocket run's params under an overlay, `sections`."""
    plain = settings.load(ROOT / "params.yaml").model_dump(mode="json")
    params = settings.check(overlay.merged(plain, sections), "test")
    view = settings.view(params, STAGES[stage].job(params, instance).params)
    given = {name: (paths,) if isinstance(paths, Path) else tuple(paths) for name, paths in inputs.items()}
    for path in outputs.values():
        path.parent.mkdir(parents=True, exist_ok=True)
    return importlib.import_module(STAGES[stage].module).run(Job(instance, view, given, outputs, 1, folder / "work", "key"))


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

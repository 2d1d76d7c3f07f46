"""Running a corpus stage in a test as its job would, and real files to run it on."""

from __future__ import annotations

import functools
import importlib
import sysconfig
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from snow import params as settings
from snow.stages import STAGES
from snow.tables import DOCUMENTS, TableWriter, document_id, read_rows
from tests import stage_runs


def run(
    stage: str,
    folder: Path,
    instance: str = "all",
    inputs: dict[str, Sequence[Path]] | None = None,
    outputs: dict[str, Path] | None = None,
    **sections: dict[str, Any],
) -> dict[str, Any]:
    """The facts of one job with the pocket run's params, `sections` changed key by key."""
    values = settings.read(stage_runs.ROOT / "params.yaml")
    params = settings.check(values | {name: values[name] | changes for name, changes in sections.items()}, "test")
    job = stage_runs.job(stage, instance, params, inputs or {}, outputs or {}, folder / ".snow" / "work")
    return importlib.import_module(STAGES[stage].module).run(job)


def document(
    content: str, repo: str = "repo", path: str = "file.py", stars: int | None = None, last_commit: datetime | None = None
) -> dict[str, Any]:
    """A row of the documents table."""
    size = len(content.encode())
    return {
        "id": document_id(content),
        "repo": repo,
        "path": path,
        "language": "Python",
        "license": "MIT",
        "content": content,
        "size": size,
        "stars": stars,
        "last_commit": last_commit,
    }


def write(path: Path, documents: Iterable[dict[str, Any]]) -> Path:
    """A document shard."""
    with TableWriter(path, DOCUMENTS) as writer:
        writer.write_all(documents)
    return path


def rows(path: Path) -> list[dict[str, Any]]:
    """A whole table."""
    return list(read_rows(path))


@functools.cache
def standard_library(count: int) -> tuple[tuple[str, str], ...]:
    """(name, content) of that many modules of this Python's standard library, by name, tests and data tables left out."""
    folder = Path(sysconfig.get_path("stdlib"))
    patterns = ("*.py", "email/**/*.py", "asyncio/*.py", "http/*.py", "xml/**/*.py", "concurrent/**/*.py", "importlib/**/*.py")
    names = sorted(path for pattern in patterns for path in folder.glob(pattern))
    texts = ((str(path.relative_to(folder)), path.read_text(encoding="utf-8")) for path in names)
    chosen = [(name, text) for name, text in texts if 2_000 < len(text) < 60_000]
    assert len(chosen) >= count, f"only {len(chosen)} modules in {folder}"
    return tuple(chosen[:count])

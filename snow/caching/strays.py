"""Files in the folders of artifacts that no job of the recipe makes any more: shards beyond `shards`, a suite that was taken out.

A folder is an artifact whole, for DVC and for whatever reads it, so they cannot stay. What the cache holds is deleted, going back
brings it back; anything else is moved to `.snow/strays`, because nobody else may have it.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from snow import digest
from snow.caching import hashes, ledger, preflight
from snow.caching.store import open_store
from snow.graph import Graph

KEPT = Path(".snow/strays")
MADE = Path(".snow/made")  # a line for each output
NOT_OURS = {*hashes.UNTRACKED, ".gitignore"}  # what Snakemake writes into a folder that is an output, and DVC beside one


def remove(graph: Graph) -> None:
    """Clear the artifacts' folders of what is in none of the graph's outputs, receipts of jobs it does not have first of all."""
    store = open_store()
    for path in found(graph, remember(graph)):
        if store is not None and store.sound(hashes.content(path).md5):
            path.unlink()
        else:
            kept = KEPT / path
            kept.parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, kept)
            print(f"snow: {path} is made by no job of this recipe and is not in the cache; moved to {kept}", file=sys.stderr)
        _drop_empty(path.parent)


def found(graph: Graph, made_before: Iterable[Path] = ()) -> list[Path]:
    """Those files: in folders of dvc.yaml, outputs of receipts of other jobs, and any of what was `made_before`."""
    receipts = ledger.read().values()
    made = {Path(output) for receipt in receipts if receipt.name not in graph.by_name for output in receipt.outputs}  # of arms taken out
    made |= {path for path in made_before if not graph.sources_of(str(path))}
    inside = [path for folder in [*_folders(), *(path for path in sorted(made) if path.is_dir())] for path in _files(folder)]
    alone = [path for path in sorted(made) if path.is_file()]
    return [path for path in dict.fromkeys([*inside, *alone]) if not graph.sources_of(str(path))]


def remember(graph: Graph) -> list[Path]:
    """What runs of this clone were to make, of this graph and others, as far as it is here: after `dvc checkout` of a state that
    does not know it, an output may lie where no receipt and no dvc.yaml names it."""
    before = MADE.read_text(encoding="utf-8").splitlines() if MADE.is_file() else []
    present = [path for path in before if os.path.lexists(path)]
    now = sorted({*present, *(output for job in graph.jobs for output in job.outputs.values())})
    if now != before:
        digest.replace(MADE, "".join(f"{path}\n" for path in now))
    return [Path(path) for path in present]


def _folders() -> list[Path]:
    """The folders that dvc.yaml names as outputs, and that of all receipts."""
    return [ledger.RECEIPTS, *(path for path in preflight.output_folders() if ledger.RECEIPTS not in path.parents)]


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if (path.is_file() or path.is_symlink()) and path.name not in NOT_OURS:
            yield path


def _drop_empty(folder: Path) -> None:
    """Remove a folder that holds nothing of ours, and those around it likewise."""
    while folder.parent != Path() and all(path.name in NOT_OURS and path.is_file() for path in folder.iterdir()):
        shutil.rmtree(folder)
        folder = folder.parent

"""After a successful run: what was produced is written to dvc.lock, serially, in the main process.

Only DVC stages whose every job is current are committed, so a run of one target leaves the others as they are. A stamp over
everything that dvc.lock is made from makes the second call cheap: DVC is imported only when there is something to write.
"""

from __future__ import annotations

import sys
from pathlib import Path

from snow import code, digest
from snow.caching import hashes, ledger
from snow.params import Params

STAMP = Path(".snow/committed")


def run(params: Params) -> list[str]:
    """Commit every DVC stage whose outputs exist and are current; returns their names, an empty list when nothing had changed."""
    if not due():
        return []
    from snow.caching import dvc_repo

    entries = ledger.read()
    present = ledger.workspace(entries)
    specs = ledger.Specs(params)
    stale = [entry for entry in entries if ledger.causes(entry, specs.of(entry.stage, entry.instance), present)]
    stale_files = {path.as_posix() for entry in stale for path in [entry.receipt, *(path for path, _ in entry.outputs)]}
    ready = [
        stage.name
        for stage in dvc_repo.stages()
        if all(Path(path).exists() for path in [*stage.deps, *stage.outs])
        and not any(file == out or file.startswith(f"{out}/") for out in stage.outs for file in stale_files)
    ]
    known = {path: content for path, content in present.items() if content is not None}
    receipts = {entry.receipt: hashes.content(entry.receipt) for entry in entries}
    dvc_repo.commit(ready, known | receipts)
    STAMP.parent.mkdir(exist_ok=True)
    STAMP.write_text(_stamp())
    print(f"snow commit: dvc.lock holds {len(ready)} stages", file=sys.stderr)
    return ready


def due() -> bool:
    """Whether anything that dvc.lock is made from changed since it was written here."""
    if not Path(".dvc").is_dir() or not Path("dvc.yaml").exists():
        return False
    return not STAMP.exists() or STAMP.read_text() != _stamp()


def _stamp() -> str:
    """A digest of every file dvc.lock is computed from, and of dvc.lock."""
    files = [Path(name) for name in ("dvc.yaml", "dvc.lock", "params.yaml", ".dvcignore")]
    files += sorted(Path("envs").glob("*.txt")) + sorted(code.PACKAGE.rglob("*.py")) + sorted(ledger.RECEIPTS.rglob("*.json"))
    pairs = [f"{file} {known.md5}" for file, known in hashes.contents(files).items() if known is not None]
    return digest.sha256("\n".join(pairs))

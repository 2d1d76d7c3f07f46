"""Which function, class or constant changed when the digest of a stage's code did.

The table behind the old digest is the one this clone kept when that code was current here. In a new clone there is none, so the
commits are asked, newest first, each with its own digest code.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

from snow import source_code

COMMITS = 30  # looked at; a commit costs a fifth of a second
_TABLE = """\
import json, sys
from snow import source_code
module = sys.argv[1]
table = {symbol: value for name in source_code.closure(module) for symbol, value in source_code.symbols(name).items()}
print(json.dumps([source_code.digest(module), table]))
"""


def changed(module: str, old: str) -> list[tuple[str, str | None, str | None]] | None:
    """(definition, old digest, new digest) of what differs from the code that had the digest `old`, None standing for absent;
    None when that code is not known here."""
    before = source_code.kept_table(old) or _committed(module, old)
    if before is None:
        return None
    now = source_code.table(module)
    names = sorted({*before, *now})
    return [(name, before.get(name), now.get(name)) for name in names if before.get(name) != now.get(name)]


def _committed(module: str, wanted: str) -> dict[str, str] | None:
    """The table of the newest commit whose code has that digest."""
    root = source_code.PACKAGE.parent
    history = _git(root, "log", f"--max-count={COMMITS}", "--format=%H", "--", source_code.PACKAGE.name)
    for revision in (history or b"").decode().split():
        archive = _git(root, "archive", revision, source_code.PACKAGE.name)
        with tempfile.TemporaryDirectory() as folder:
            with tarfile.open(fileobj=BytesIO(archive or b"")) as packed:
                packed.extractall(folder, filter="data")
            words = [sys.executable, "-c", _TABLE, module]
            done = subprocess.run(words, cwd=folder, env={"PYTHONPATH": folder}, capture_output=True, check=False)
            if done.returncode:
                continue  # of a time before this stage, or before digests
            digest, table = json.loads(done.stdout)
            if digest == wanted:
                return table
    return None


def _git(root: Path, *words: str) -> bytes | None:
    done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None

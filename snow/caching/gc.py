"""`snow gc`: cached objects that neither the workspace nor any named commit needs, shown first, removed only when asked.

Which objects are needed is DVC's own answer (`dvc gc`). Job records of the run-cache whose objects are gone are useless and
could only mislead, so they go too.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Set
from pathlib import Path

from snow.caching import records
from snow.caching.store import Store, open_store
from snow.errors import SnowError


def run(revision: str | None, all_commits: bool, remove: bool) -> int:
    """Show, or with `remove` delete, what neither the workspace nor the kept commits need."""
    store = open_store()
    if store is None:
        raise SnowError("this is not a DVC repository; run `snow gc` in the root of a clone")
    keep = ["--all-commits"] if all_commits else ["--rev", revision] if revision else []
    command = [str(Path(sys.executable).with_name("dvc")), "gc", "--workspace", *keep, "--force", *([] if remove else ["--dry"])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SnowError(f"dvc gc failed: {done.stderr.strip()}")
    said = done.stdout + done.stderr
    print(said.strip())
    dead = dead_records(store, set() if remove else _named(store, said))
    for path in dead if remove else ():
        path.unlink(missing_ok=True)
    print(f"{len(dead)} job records whose objects {'are gone were removed' if remove else 'would be gone would be removed'}")
    if not remove:
        print("nothing was removed; `snow gc --remove` does it")
    return 0


def _named(store: Store, said: str) -> set[Path]:
    """The objects that a dry `dvc gc` names, one to a line."""
    lines = (line.partition(f"{store.root.resolve()}{os.sep}") for line in said.splitlines())
    return {store.root / path.strip() for _, found, path in lines if found}


def dead_records(store: Store, going: Set[Path]) -> list[Path]:
    """Run-cache records, ours and DVC's, of which some output's object is missing or `going` to be."""
    found = []
    for name, outs in records.every(store):
        contents = [None] if outs is None else [store.describe(out["md5"], out.get("size")) for out in outs]
        if not all(known is not None and store.holds(known) and going.isdisjoint(store.objects(known)) for known in contents):
            found.append(store.root / "runs" / name)
    return found

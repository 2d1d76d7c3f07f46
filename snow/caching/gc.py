"""`snow gc`: cached objects that neither the workspace nor any named commit needs, shown first, removed only when asked.

Which objects are needed is DVC's own answer (`dvc gc`). Job records of the run-cache whose objects are gone are useless and
could only mislead, so they go too.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml

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
    print((done.stdout + done.stderr).strip())
    dead = dead_records(store)
    for path in dead if remove else ():
        path.unlink(missing_ok=True)
    print(f"{len(dead)} job records without their objects {'removed' if remove else 'would be removed'}")
    if not remove:
        print("nothing was removed; `snow gc --remove` does it")
    return 0


def dead_records(store: Store) -> list[Path]:
    """Run-cache records, ours and DVC's, of which some output's object is missing."""
    found = []
    for path in sorted((store.root / "runs").glob("*/*/*")):
        try:
            outs = yaml.safe_load(path.read_text())["outs"]
            contents = [store.describe(out["md5"], out.get("size", 0)) for out in outs if "md5" in out]
        except (yaml.YAMLError, KeyError, TypeError):
            contents = [None]
        if not all(known is not None and store.holds(known) for known in contents):
            found.append(path)
    return found

"""What gathering reads outside the repository: the content of each file of its shard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from snow.toy.gather import files_of

from snow.caching import hashes


def fingerprint(params: Mapping[str, Any], _: str) -> dict[str, Any]:
    """`{instance: [[name, md5], ...]}`."""
    files = {instance: files_of(Path(told.sources), int(instance), told.shards) for instance, told in params.items()}
    known = hashes.contents(path for paths in files.values() for path in paths)
    return {instance: [[path.name, found.md5] for path in paths if (found := known[path])] for instance, paths in files.items()}

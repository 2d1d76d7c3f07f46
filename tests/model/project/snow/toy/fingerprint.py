"""What gathering reads outside the repository: the content of each file of its shard."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snow.toy.gather import files_of

from snow.caching import hashes

if TYPE_CHECKING:
    from snow.params import View


def fingerprint(params: View, instances: Collection[str], _: str) -> dict[str, Any]:
    """`{instance: [[name, md5], ...]}`."""
    files = {instance: files_of(Path(params.sources), int(instance), params.shards) for instance in instances}
    known = hashes.contents(path for paths in files.values() for path in paths)
    return {instance: [[path.name, found.md5] for path in paths if (found := known[path])] for instance, paths in files.items()}

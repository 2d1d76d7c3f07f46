"""What `annotate` reads outside the repository and the packages: local encoders and sets of positives, told by content.

A model or set on the hub is what its revision says it is; without a revision it is taken as unchanged, so pin it.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from snow.caching import hashes

if TYPE_CHECKING:
    from snow.params import View


def fingerprint(params: View, instances: Collection[str]) -> dict[str, dict[str, str]]:
    """`{instance: {path: hash}}` of the encoder and the positives that are files or folders here, the same for every instance; one
    that is missing is named by the stage."""
    named = [params.annotator.encoder, *(source.path for source in params.annotator.positives)]
    found = hashes.contents(Path(name).expanduser() for name in named)
    told = {str(path): content.md5 for path, content in found.items() if content is not None}
    return dict.fromkeys(instances, told)

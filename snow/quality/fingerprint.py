"""What `annotate` reads outside the repository: the encoder and the sets of positives."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from snow import references

if TYPE_CHECKING:
    from snow.params import View
    from snow.schema import Positives


def fingerprint(params: View, instances: Collection[str], env: str) -> dict[str, dict[str, Any]]:
    """`{instance: {param: content or commit}}`, the positives in their order, the same for every instance. Raises SnowError as
    `references` does."""
    settings = params.annotator
    told = {
        "annotator.encoder": references.identity("model", settings.encoder, settings.revision, env),
        "annotator.positives": [_positives(source, env) for source in settings.positives],
    }
    return dict.fromkeys(instances, told)


def _positives(source: Positives, env: str) -> str | None:
    if source.kind == "json":
        return references.content(source.path, env)
    return references.identity("dataset", source.path, source.revision, env)

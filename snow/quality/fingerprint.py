"""What `annotate` reads outside the repository: the encoder and the sets of positives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from snow import references

if TYPE_CHECKING:
    from snow.arms import Positives
    from snow.quality.annotate import Params


def fingerprint(params: Mapping[str, Params], env: str) -> dict[str, dict[str, Any]]:
    """`{instance: {param: content or commit}}`, the positives in their order. Raises SnowError as `references` does."""
    return {
        instance: {
            "encoder": references.identity("model", each.training.encoder, each.training.revision, env),
            "positives": [_positives(source, env) for source in each.training.positives],
        }
        for instance, each in params.items()
    }


def _positives(source: Positives, env: str) -> str | None:
    if source.kind == "json":
        return references.content(source.path, env)
    return references.identity("dataset", source.path, source.revision, env)

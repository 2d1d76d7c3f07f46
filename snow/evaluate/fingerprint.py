"""What `obtain` reads outside the repository: the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from snow import references

if TYPE_CHECKING:
    from snow.evaluate.obtain import Params


def fingerprint(params: Mapping[str, Params], env: str) -> dict[str, dict[str, str | None]]:
    """`{instance: {param: content or commit}}`. Raises SnowError as `references` does."""
    return {
        instance: {"pretrained": references.identity("model", each.model.pretrained, each.model.revision, env)}
        for instance, each in params.items()
    }

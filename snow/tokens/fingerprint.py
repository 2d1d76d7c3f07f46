"""What `tokenizer` reads outside the repository: the pretrained tokenizer, where there is one."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from snow import references

if TYPE_CHECKING:
    from snow.params import View


def fingerprint(params: View, instances: Collection[str], env: str) -> dict[str, dict[str, str | None]]:
    """`{instance: {param: content or commit}}`, empty inside without a pretrained tokenizer. Raises SnowError as `references` does."""
    named = params.tokenizer.pretrained
    told = {} if named is None else {"tokenizer.pretrained": references.identity("model", named, params.tokenizer.revision, env)}
    return dict.fromkeys(instances, told)

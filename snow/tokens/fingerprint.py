"""What `tokenizer` reads outside the repository: the pretrained tokenizer, where there is one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from snow import references

if TYPE_CHECKING:
    from snow.arms import Tokenizer
    from snow.tokens.tokenizer import Params


def fingerprint(params: Mapping[str, Params], env: str) -> dict[str, dict[str, str | None]]:
    """`{instance: {param: content or commit}}`, empty inside without a pretrained tokenizer. Raises SnowError as `references` does."""
    return {instance: _pretrained(each.tokenizer, env) for instance, each in params.items()}


def _pretrained(tokenizer: Tokenizer, env: str) -> dict[str, str | None]:
    named = tokenizer.pretrained
    return {} if named is None else {"pretrained": references.identity("model", named, tokenizer.revision, env)}

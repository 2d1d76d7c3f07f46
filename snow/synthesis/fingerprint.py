"""What `generate` reads outside the repository: the generator's weights, where snow itself serves them.

What another's server (backend `openai`) has under a name is not known here; `synthesis.generator.revision` is there to say it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from snow import references

if TYPE_CHECKING:
    from snow.params import View
    from snow.schema import Generator


def fingerprint(params: View, instances: Collection[str], env: str) -> dict[str, dict[str, str | None]]:
    """`{instance: {param: content or commit}}`, the same for every instance. Raises SnowError as `references` does."""
    told = {"synthesis.generator.model": _weights(params.synthesis.generator, env)}
    return dict.fromkeys(instances, told)


def _weights(generator: Generator, env: str) -> str | None:
    if generator.backend == "openai":
        return None
    if generator.backend == "llamacpp":
        return references.content(generator.model, env)
    return references.identity("model", generator.model, generator.revision, env)

"""What `generate` reads outside the repository: the generator's weights, where snow itself serves them.

What another's server (backend `openai`) has under a name is not known here; `revision` of the generator is there to say it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from snow import references

if TYPE_CHECKING:
    from snow.arms import Generator
    from snow.synthesis.generate import Params


def fingerprint(params: Mapping[str, Params], env: str) -> dict[str, dict[str, str | None]]:
    """`{instance: {param: content or commit}}`, each generator looked at once. Raises SnowError as `references` does."""
    generators = {each.generator.model_dump_json(): each.generator for each in params.values()}
    weights = {text: _weights(generator, env) for text, generator in generators.items()}
    return {instance: {"model": weights[each.generator.model_dump_json()]} for instance, each in params.items()}


def _weights(generator: Generator, env: str) -> str | None:
    if generator.backend == "openai":
        return None
    if generator.backend == "llamacpp":
        return references.content(generator.model, env)
    return references.identity("model", generator.model, generator.revision, env)

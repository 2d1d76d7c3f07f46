"""Who is asked, and how a request is put: what decides a request's key, wherever it is made or answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snow import hub, packaged
from snow.caching import hashes
from snow.errors import SnowError
from snow.synthesis.answers import Model, Question, Sampling

if TYPE_CHECKING:
    from snow.arms import Generator


def identify(generator: Generator) -> tuple[Model, str, str | None]:
    """Who answers, and what a server of ours loads: a local path, or a hub name at a revision. Local weights are named by their file
    and their content, those of the hub by their commit."""
    reference = generator.model
    if generator.backend == "openai":
        return Model(reference, generator.revision), reference, generator.revision
    if generator.backend == "vllm" and not packaged.is_local(reference):
        name, commit = hub.source("model", reference, generator.revision)
        return Model(name, commit), name, commit
    path = packaged.locate(reference)
    if generator.backend == "llamacpp" and path.suffix != ".gguf":
        raise SnowError(f"the generator's model {reference} is {path.name}, but the backend llamacpp needs a .gguf file")
    return Model(path.stem if path.is_file() else path.name, f"md5:{hashes.visible(path)}"), str(path), None


def question(model: Model, prompt: str, draw: int, generator: Generator) -> Question:
    """A request as it is sent; `draw` seeds its sampling."""
    return Question(model, prompt, Sampling(generator.temperature, generator.top_p, generator.max_tokens, draw))

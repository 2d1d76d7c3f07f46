"""Completions from a vLLM server of ours: the same prompts by their ids, many at a time; it batches them and shares their prefixes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import openai

from snow.evaluate.decoding import Completion, Request, Sampling, cut
from snow.evaluate.loading import Encoder
from snow.synthesis import client, endpoint

CONCURRENCY = 256  # vLLM's own max_num_seqs; more would wait there
CONTEXT = 8192  # of a model that states no limit
NAME = "model"


@contextmanager
def server(model: Path, positions: int | None, threads: int, work: Path) -> Iterator[openai.OpenAI]:
    """A client of a vLLM server for a model folder, which ends with the context; its log is `work`/server.log."""
    options = {
        "backend": "vllm",
        "weights": str(model.absolute()),
        "name": NAME,
        "revision": None,
        "context_tokens": positions or CONTEXT,
        "concurrency": CONCURRENCY,
        "threads": threads,
    }
    with endpoint.started(options, work / "server.log") as started:
        yield client.connect(started)


def complete(
    asker: openai.OpenAI,
    encoder: Encoder,
    requests: Sequence[Request],
    stops: Sequence[str],
    max_new_tokens: int,
    sampling: Sampling,
    wanted: Sequence[int],
    keep: Callable[[dict[int, Completion]], None],
) -> None:
    """Have `keep` called with the completion of each of the requests `wanted`, by index, as they come. SnowError when one fails;
    the others under way are kept then too."""
    special = sorted(encoder.special_ids())

    def ask(index: int) -> Completion:
        request = requests[index]
        with client.answered(asker):
            reply = asker.completions.create(
                model=NAME,
                prompt=request.ids,
                max_tokens=max_new_tokens,
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                seed=request.seed,
                stop=list(stops),
                extra_body={"stop_token_ids": special},
            )
            choice = reply.choices[0]
            tokens = reply.usage.completion_tokens if reply.usage else 0
        text = cut(choice.text, stops)
        if choice.finish_reason == "length":
            return Completion(text, tokens, "length")
        stopped = getattr(choice, "stop_reason", None)  # vLLM's: the stop sequence, or the id that ended it
        return Completion(text, tokens, "stop" if isinstance(stopped, str) else "end")

    client.ask_all(ask, ((index, index) for index in wanted), lambda index, completion: keep({index: completion}), CONCURRENCY)

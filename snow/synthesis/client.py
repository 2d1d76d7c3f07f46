"""The one client for every server: OpenAI's protocol over HTTP, many questions at a time, each answer kept."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

import openai

from snow.errors import SnowError
from snow.synthesis.answers import Answer, Question
from snow.synthesis.endpoint import Endpoint

RETRIES = 8  # the library waits 0.5, 1, 2, 4, 8, 8, ... s between them, or what Retry-After says: a server may restart meanwhile
REFUSALS = (400, 413, 422)  # statuses that are about one request, which will be refused whenever it is asked again
TIMEOUT_SECONDS = 1800.0  # of one answer; a long file from a busy 70B server takes minutes, half an hour means it hangs

Key = TypeVar("Key")
Asked = TypeVar("Asked")
Told = TypeVar("Told")


def connect(endpoint: Endpoint, retries: int = RETRIES, timeout: float = TIMEOUT_SECONDS) -> openai.OpenAI:
    """A client of that server; it connects at the first question."""
    return openai.OpenAI(
        base_url=endpoint.url,
        api_key=endpoint.api_key,
        max_retries=retries,
        timeout=openai.Timeout(timeout, connect=10.0),
        http_client=openai.DefaultHttpxClient(trust_env=not endpoint.local),  # trust_env: read the proxy variables
    )


def ask(client: openai.OpenAI, question: Question) -> Answer:
    """One question, one answer; that the server refuses this question for good is an answer too. SnowError when it gives none."""
    sampling = question.sampling
    messages: Any = question.messages
    with answered(client):
        try:
            reply = client.chat.completions.create(
                model=question.model.name,
                messages=messages,
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                max_tokens=sampling.max_tokens,
                seed=sampling.seed,
            )
        except openai.APIStatusError as error:
            reason = _refusal(error)
            if error.status_code not in REFUSALS and (error.status_code, reason) != (403, "content_filter"):
                raise
            return Answer(_message(error), reason, 0)
        choice = reply.choices[0]
    usage = reply.usage
    refusal = choice.message.refusal
    return Answer(
        text=choice.message.content or refusal or "",
        finish_reason="refusal" if refusal else choice.finish_reason or "unknown",
        completion_tokens=usage.completion_tokens if usage else None,
    )


@contextlib.contextmanager
def answered(client: openai.OpenAI) -> Iterator[None]:
    """What the library does not retry, or no longer, becomes a SnowError that names the server."""
    try:
        yield
    except openai.APIStatusError as error:
        advice = (
            "try again later" if error.status_code == 429 or error.status_code >= 500 else "check its settings in params.yaml and the key"
        )
        raise SnowError(f"the server at {client.base_url} answered {error.status_code}: {_message(error)}; {advice}") from error
    except openai.APIConnectionError as error:  # includes its timeouts
        cause = error.__cause__ or error
        raise SnowError(
            f"the server at {client.base_url} cannot be reached ({cause}); start it, or set SNOW_GENERATOR_URL to where it is, "
            "and run again: answers received so far are kept"
        ) from error
    except (openai.APIError, AttributeError, IndexError, TypeError) as error:  # JSON, but not this protocol's
        raise SnowError(f"the server at {client.base_url} does not answer as OpenAI's protocol does ({error})") from error


def ask_all(
    ask_one: Callable[[Asked], Told], questions: Iterable[tuple[Key, Asked]], keep: Callable[[Key, Told], Any], concurrency: int
) -> None:
    """Ask (key, question) pairs, `concurrency` at a time, and `keep` each answer as it comes, in this thread.

    After a failure, of a question or of `keep`, nothing more is asked, what is under way is still kept, and the first is raised.
    """
    running: dict[Future[Told], Key] = {}
    failure: Exception | None = None

    def collect(finished: Iterable[Future[Told]]) -> None:
        nonlocal failure
        for future in finished:
            key = running.pop(future)
            try:
                keep(key, future.result())
            except Exception as error:
                failure = failure or error

    with ThreadPoolExecutor(concurrency) as pool:
        for key, question in questions:
            running[pool.submit(ask_one, question)] = key
            if len(running) >= concurrency:
                collect(wait(running, return_when=FIRST_COMPLETED).done)
            if failure:
                break
        collect(wait(running).done)
    if failure:
        raise failure


def _refusal(error: openai.APIStatusError) -> str:
    """A name for why, by which refusals are counted: servers say it in a code (OpenAI, Azure), a type (llama.cpp) or in words (vLLM)."""
    said = f"{error.code} {error.type} {_message(error)}".lower()
    if error.status_code == 413 or re.search(r"context.?(length|size|window)|too (long|large|many tokens)", said):
        return "context_length"
    if re.search(r"content.?(filter|management)|polic(y|ies)|moderat|safety", said):
        return "content_filter"
    return f"http_{error.status_code}"


def _message(error: openai.APIStatusError) -> str:
    body = error.body
    text = body.get("message") if isinstance(body, dict) else None
    return " ".join(str(text or error.response.text or error.message).split())[:500]

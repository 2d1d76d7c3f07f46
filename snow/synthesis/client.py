"""The one client for every generator: OpenAI's chat-completions protocol over HTTP, many questions at a time, each answer kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

import openai

from snow.errors import SnowError
from snow.synthesis.answers import Answer, AnswerStore, Question
from snow.synthesis.endpoint import Endpoint

RETRIES = 8  # the library waits 0.5, 1, 2, 4, 8, 8, ... s between them, or what Retry-After says: a server may restart meanwhile
TIMEOUT_SECONDS = 1800.0  # of one answer; a long file from a busy 70B server takes minutes, half an hour means it hangs


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
    """One question, one answer; what the library does not retry, or no longer, becomes a SnowError that names the server."""
    sampling = question.sampling
    messages: Any = question.messages
    try:
        reply = client.chat.completions.create(
            model=question.model.name,
            messages=messages,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            max_tokens=sampling.max_tokens,
            seed=sampling.seed,
        )
        choice = reply.choices[0]
    except openai.APIStatusError as error:
        advice = (
            "try again later" if error.status_code == 429 or error.status_code >= 500 else "check the generator in params.yaml and the key"
        )
        raise SnowError(f"the generator at {client.base_url} answered {error.status_code}: {_message(error)}; {advice}") from error
    except openai.APIConnectionError as error:  # includes its timeouts
        cause = error.__cause__ or error
        raise SnowError(
            f"the generator at {client.base_url} cannot be reached ({cause}); start it, or set SNOW_GENERATOR_URL to where it is, "
            "and run again: answers received so far are kept"
        ) from error
    except (openai.APIError, AttributeError, IndexError, TypeError) as error:  # JSON, but not this protocol's
        raise SnowError(f"the generator at {client.base_url} does not answer as OpenAI's chat completions do ({error})") from error
    usage = reply.usage
    refusal = choice.message.refusal
    return Answer(
        text=choice.message.content or refusal or "",
        finish_reason="refusal" if refusal else choice.finish_reason or "unknown",
        completion_tokens=usage.completion_tokens if usage else None,
    )


def ask_all(
    ask_one: Callable[[Question], Answer],
    questions: Iterable[tuple[str, Question]],
    store: AnswerStore,
    concurrency: int,
    done: Callable[[], Any],
) -> None:
    """Ask (key, question) pairs, `concurrency` at a time, and store each answer as it comes, calling `done` after it.

    After a failure nothing more is asked, what is under way is still stored, and the first failure is raised.
    """
    running: dict[Future[Answer], str] = {}
    failure: BaseException | None = None

    def collect(finished: Iterable[Future[Answer]]) -> None:
        nonlocal failure
        for future in finished:
            key = running.pop(future)
            if error := future.exception():
                failure = failure or error
                continue
            store.add(key, future.result())
            done()

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


def _message(error: openai.APIStatusError) -> str:
    body = error.body
    text = body.get("message") if isinstance(body, dict) else None
    return " ".join(str(text or error.response.text or error.message).split())[:500]

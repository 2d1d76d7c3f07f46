"""What the client does with a server that is slow, failing, refusing, absent, or no such server at all."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest

from snow.errors import SnowError
from snow.synthesis import client
from snow.synthesis.answers import Answer, Model, Question, Sampling
from snow.synthesis.endpoint import Endpoint
from tests.chat_server import ChatServer, completion, error, serving

QUESTION = Question(Model("m", None), "Write code.", Sampling(0.7, 0.95, 320, 42))


@pytest.fixture
def chat() -> Iterator[ChatServer]:
    with serving() as server:
        yield server


def connect(chat: ChatServer, retries: int = 3, timeout: float = 5.0) -> openai.OpenAI:
    return client.connect(Endpoint(chat.url, "secret", local=True), retries, timeout)


def test_the_question_is_sent_whole(chat: ChatServer) -> None:
    chat.reply = lambda body: completion("a b c")
    assert client.ask(connect(chat), QUESTION) == Answer("a b c", "stop", 3)
    (body,) = chat.asked
    assert body == {
        "model": "m",
        "messages": [{"role": "user", "content": "Write code."}],
        "temperature": 0.7,
        "top_p": 0.95,
        "max_tokens": 320,
        "seed": 42,
    }
    assert chat.keys == ["Bearer secret"]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(chat: ChatServer, status: int) -> None:
    chat.reply = lambda body: error(status, "busy") if len(chat.asked) < 3 else completion("done")
    assert client.ask(connect(chat), QUESTION).text == "done"
    assert len(chat.asked) == 3


def test_a_server_that_stays_busy_is_given_up(chat: ChatServer) -> None:
    chat.reply = lambda body: error(503, "no free slot")
    with pytest.raises(SnowError, match=r"127\.0\.0\.1:[0-9]+/v1/ answered 503: no free slot; try again later"):
        client.ask(connect(chat, retries=2), QUESTION)
    assert len(chat.asked) == 3


def test_a_mistake_of_ours_is_told_in_the_servers_words_and_not_repeated(chat: ChatServer) -> None:
    chat.reply = lambda body: error(404, "The model `m` does not exist.")
    with pytest.raises(SnowError, match=r"answered 404: The model `m` does not exist.; check its settings in params\.yaml"):
        client.ask(connect(chat), QUESTION)
    assert len(chat.asked) == 1


@pytest.mark.parametrize(
    ("status", "said", "reason"),
    [  # in the words of Azure, OpenAI, vLLM and llama.cpp
        (400, {"code": "content_filter", "message": "The response was filtered due to our content management policy."}, "content_filter"),
        (400, {"code": "context_length_exceeded", "message": "Your messages resulted in 9000 tokens."}, "context_length"),
        (400, {"code": 400, "type": "BadRequestError", "message": "This model's maximum context length is 64 tokens."}, "context_length"),
        (400, {"code": 400, "type": "exceed_context_size_error", "message": "the request exceeds it"}, "context_length"),
        (413, {"message": "Request Entity"}, "context_length"),
        (403, {"message": "Your chosen model requires moderation and your input was flagged"}, "content_filter"),
        (422, {"message": "seed: Input should be positive"}, "http_422"),
    ],
)
def test_a_question_that_is_refused_for_good_has_a_reason(chat: ChatServer, status: int, said: dict[str, object], reason: str) -> None:
    chat.reply = lambda body: (status, {"error": said})
    assert client.ask(connect(chat), QUESTION) == Answer(str(said["message"]), reason, 0)
    assert len(chat.asked) == 1


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_wrong_key_or_name_is_no_refusal_of_a_question(chat: ChatServer, status: int) -> None:
    chat.reply = lambda body: error(status, "no access")
    with pytest.raises(SnowError, match=f"answered {status}: no access"):
        client.ask(connect(chat), QUESTION)


def test_a_hanging_server_is_given_up(chat: ChatServer) -> None:
    chat.delay = 1.0
    with pytest.raises(SnowError, match="cannot be reached"):
        client.ask(connect(chat, retries=0, timeout=0.1), QUESTION)


def test_an_absent_server_is_named_with_what_to_do() -> None:
    with serving() as gone:
        pass
    with pytest.raises(SnowError, match=rf"{gone.url}/ cannot be reached .*SNOW_GENERATOR_URL"):
        client.ask(connect(gone, retries=0), QUESTION)


@pytest.mark.parametrize("page", ["<html>Welcome</html>", {"detail": "hello"}])
def test_another_kind_of_server_is_recognised(chat: ChatServer, page: object) -> None:
    chat.reply = lambda body: (200, page)
    with pytest.raises(SnowError, match="does not answer as OpenAI's protocol does"):
        client.ask(connect(chat), QUESTION)


def test_a_refusal_and_an_empty_answer_are_answers(chat: ChatServer) -> None:
    chat.reply = lambda body: completion(None, refusal="I will not.")
    assert client.ask(connect(chat), QUESTION) == Answer("I will not.", "refusal", 0)
    chat.reply = lambda body: completion(None, "content_filter")
    assert client.ask(connect(chat), QUESTION) == Answer("", "content_filter", 0)

"""A real HTTP server of OpenAI's completions protocols, which counts and records what it is asked and misbehaves on request."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, Any]


def completion(text: str | None, finish_reason: str = "stop", **message: Any) -> Reply:
    """A 200 with one choice, as vLLM and llama.cpp's server write it."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": finish_reason}
    usage = {"prompt_tokens": 10, "completion_tokens": len((text or "").split()), "total_tokens": 10}
    return 200, {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage}


def error(status: int, message: str) -> Reply:
    """An error as these servers write it; `retry-after-ms` is sent along, so that retries do not slow the tests."""
    return status, {"error": {"message": message, "type": "error", "code": status}}


def code_about(body: dict[str, Any]) -> Reply:
    """The usual answer: a fenced file that depends on the question alone."""
    return completion(f"Here you are:\n```python\ndef solve_{body['seed']}():\n    return {body['seed']} * 2\n```\n")


@dataclass
class ChatServer:
    """`reply` decides each answer to what comes to `path`; `asked` are the questions in order of arrival."""

    url: str
    path: str = "/v1/chat/completions"
    reply: Callable[[dict[str, Any]], Reply] = code_about
    delay: float = 0.0
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)

    def seeds(self) -> list[int]:
        """What tells the questions apart."""
        return [body["seed"] for body in self.asked]


@contextlib.contextmanager
def serving() -> Iterator[ChatServer]:
    """The server on a free loopback port, in a thread."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                server.asked.append(body)
                server.keys.append(self.headers.get("Authorization"))
            time.sleep(server.delay)
            status, answer = server.reply(body) if self.path == server.path else error(404, f"no {self.path} here")
            payload = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/html" if isinstance(answer, str) else "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.send_header("retry-after-ms", "5")
            self.end_headers()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the client was killed
                self.wfile.write(payload)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        server = ChatServer(f"http://127.0.0.1:{http.server_port}/v1")
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()

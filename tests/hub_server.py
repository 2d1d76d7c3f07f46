"""A Hugging Face hub on loopback for one repository: its branches, its files at each commit, and what was asked of it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Hub(ThreadingHTTPServer):
    """`branches` maps a branch to its commit, `commits` a commit to the folder with its files; `asked` lists paths in order."""

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.name = name
        self.branches: dict[str, str] = {}
        self.commits: dict[str, Path] = {}
        self.asked: list[str] = []
        self.gate: int | None = None  # the status for those who may not have it

    @property
    def url(self) -> str:
        """For HF_ENDPOINT."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self) -> None:
        self._answer(True)

    def do_HEAD(self) -> None:
        self._answer(False)

    def _answer(self, body: bool) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append(path)
        information = f"/api/models/{self.server.name}/revision/"
        listing = f"/api/models/{self.server.name}/tree/"
        files = f"/{self.server.name}/resolve/"
        if path == f"/api/models/{self.server.name}/auth-check":
            return self._send(self.server.gate or 200, b"{}", {"Content-Type": "application/json"}, body)
        if path.startswith(information):
            commit = self._commit(path.removeprefix(information))
            if commit in self.server.commits:
                told = {"id": self.server.name, "modelId": self.server.name, "sha": commit, "siblings": [], "tags": []}
                return self._send(200, json.dumps(told).encode(), {"Content-Type": "application/json"}, body)
        elif path.startswith(listing) and self._commit(path.removeprefix(listing).partition("/")[0]) in self.server.commits:
            return self._send(404, b"", {"X-Error-Code": "EntryNotFound"}, body)  # the folder of more chat templates that is looked for
        elif path.startswith(files):
            revision, _, name = path.removeprefix(files).partition("/")
            commit = self._commit(revision)
            file = self.server.commits.get(commit, Path("nowhere")) / name
            if file.is_file():
                content = file.read_bytes()
                return self._send(200, content, {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": commit}, body)
            if commit in self.server.commits:
                return self._send(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit}, body)
        return self._send(404, b"", {"X-Error-Code": "RepoNotFound"}, body)

    def _commit(self, revision: str) -> str:
        return self.server.branches.get(revision, revision)

    def _send(self, status: int, content: bytes, headers: dict[str, str], body: bool) -> None:
        self.send_response(status)
        for header, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(header, value)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@contextlib.contextmanager
def serving(name: str) -> Iterator[Hub]:
    """A running hub with nothing on it yet."""
    hub = Hub(name)
    thread = threading.Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        thread.join()

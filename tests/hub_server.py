"""A Hugging Face hub on loopback for one repository: its branches, its files at each commit, and what was asked of it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_IS_JSON = {"Content-Type": "application/json"}


class Hub(ThreadingHTTPServer):
    """`branches` maps a branch to its commit, `commits` a commit to the folder with its files; `asked` lists paths in order."""

    def __init__(self, name: str, kind: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.name, self.kind = name, kind
        self.branches: dict[str, str] = {}
        self.commits: dict[str, Path] = {}
        self.asked: list[str] = []
        self.methods: list[str] = []  # of each of them
        self.gate: int | None = None  # the status for those who may not have it
        self.gated: bool | tuple[str, ...] = False  # it, or these files of it, are only for those who have accepted its terms
        self.holds: str | None = None  # a file of which no more than the first half is sent
        self.held = threading.Event()  # it was

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

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["paths"]
        commit = self._commit(self.path.removeprefix(f"/api/{self.server.kind}s/{self.server.name}/paths-info/"))
        self._send(200, json.dumps([one for one in self._tree(commit) if one["path"] in asked]).encode(), _IS_JSON, True)

    def _answer(self, body: bool) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append(path)
        self.server.methods.append(self.command)
        about = f"/api/{self.server.kind}s/{self.server.name}"
        information, listing = f"{about}/revision/", f"{about}/tree/"
        files = f"{'/datasets' if self.server.kind == 'dataset' else ''}/{self.server.name}/resolve/"
        gated = {"X-Error-Code": "GatedRepo"} if self.server.gated else {}
        if path == f"{about}/auth-check":
            return self._send(self.server.gate or 200, b"{}", {**_IS_JSON, **gated}, body)
        if path == about or path.startswith(information):
            commit = self._commit(path.removeprefix(information) if path != about else "main")
            if commit in self.server.commits:
                told = {"id": self.server.name, "modelId": self.server.name, "sha": commit, "siblings": [], "tags": []}
                return self._send(200, json.dumps(told).encode(), _IS_JSON, body)
        elif path.startswith(listing) and self._commit(path.removeprefix(listing).partition("/")[0]) in self.server.commits:
            revision, _, folder = path.removeprefix(listing).partition("/")
            found = [one for one in self._tree(self._commit(revision)) if not folder or one["path"].startswith(f"{folder}/")]
            if found:
                return self._send(200, json.dumps(found).encode(), _IS_JSON, body)
            return self._send(404, b"", {"X-Error-Code": "EntryNotFound"}, body)  # the folder of more chat templates that is looked for
        elif path.startswith(files) and self._closed(path):
            return self._send(403, b"", gated, body)
        elif path.startswith(files):
            revision, _, name = path.removeprefix(files).partition("/")
            commit = self._commit(revision)
            file = self.server.commits.get(commit, Path("nowhere")) / name
            if file.is_file():
                content = file.read_bytes()
                if body and name == self.server.holds:
                    return self._half(content)
                return self._send(200, content, {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": commit}, body)
            if commit in self.server.commits:
                return self._send(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit}, body)
        return self._send(404, b"", {"X-Error-Code": "RepoNotFound"}, body)

    def _closed(self, path: str) -> bool:
        gated = self.server.gated
        return gated if isinstance(gated, bool) else path.endswith(gated)

    def _tree(self, commit: str) -> list[dict[str, object]]:
        root = self.server.commits[commit]
        paths = sorted(root.rglob("*"))
        return [
            {"type": "directory" if path.is_dir() else "file", "path": path.relative_to(root).as_posix(), "size": 1, "oid": "0"}
            for path in paths
        ]

    def _half(self, content: bytes) -> None:
        """The connection stays open until the other side is gone."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2])
        self.wfile.flush()
        self.server.held.set()
        self.rfile.read(1)

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
def serving(name: str, kind: str = "model") -> Iterator[Hub]:
    """A running hub with nothing on it yet."""
    hub = Hub(name, kind)
    thread = threading.Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        thread.join()

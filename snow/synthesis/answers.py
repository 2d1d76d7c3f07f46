"""Requests to a model and the answers it gave, kept by content so that no question is ever asked twice.

The store is a folder of JSON-lines files, one per process that wrote, never edited: writers cannot disturb each other, whatever
the file system, and a line torn by a crash is the last of its file and is passed over. Where a request was answered is not
part of its key.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from snow import digest
from snow.errors import SnowError

_KEY_AT = len('{"key":"')  # every line begins with its key, so a reader parses only the lines it wants
_KEY_LENGTH = 64


@dataclass(frozen=True)
class Model:
    """A generator's identity: its name, and the hub revision or, for local files, their content hash."""

    name: str
    revision: str | None


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen; all of it enters the request key."""

    temperature: float
    top_p: float
    max_tokens: int
    seed: int


@dataclass(frozen=True)
class Question:
    """One chat request with a single user message."""

    model: Model
    prompt: str
    sampling: Sampling

    @property
    def messages(self) -> list[dict[str, str]]:
        """The conversation as the protocol spells it."""
        return [{"role": "user", "content": self.prompt}]

    @property
    def key(self) -> str:
        """SHA-256 of model, revision, messages and sampling."""
        facts = {"model": self.model.name, "revision": self.model.revision, "messages": self.messages, **asdict(self.sampling)}
        return digest.sha256(digest.canonical(facts))


@dataclass(frozen=True)
class Answer:
    """What came back: the text, why it ended (`stop`, `length`, `refusal`, ...) and, where the server says, its tokens.

    Of a request that the server refuses for good, the text is the server's reason.
    """

    text: str
    finish_reason: str
    completion_tokens: int | None

    @property
    def refused(self) -> bool:
        """Whether it ended neither by itself nor at the token limit."""
        return self.finish_reason not in ("stop", "length")


class AnswerStore:
    """The answers to `wanted` keys that a folder holds, and room for new ones; a context manager.

    Memory: a file position per wanted key, no texts. When two processes happened to ask the same, the older file counts.
    """

    def __init__(self, folder: Path, wanted: Iterable[str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._wanted = frozenset(wanted)
        self._places: dict[str, tuple[Path, int]] = {}
        for path in sorted(folder.glob("*.jsonl")):
            self._index(path)
        self._path = folder / f"{time.time_ns():020d}-{os.getpid()}.jsonl"
        self._file: Any = None

    def _index(self, path: Path) -> None:
        place = 0
        with path.open("rb") as lines:
            for line in lines:
                key = line[_KEY_AT : _KEY_AT + _KEY_LENGTH].decode(errors="replace")
                if key in self._wanted and line.endswith(b"\n"):
                    self._places.setdefault(key, (path, place))
                place += len(line)

    def __enter__(self) -> AnswerStore:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def __len__(self) -> int:
        return len(self._places)

    def add(self, key: str, answer: Answer) -> None:
        """Append an answer; it is on disk when this returns. Not for concurrent use by several threads."""
        if self._file is None:
            self._file = self._path.open("xb")
        place = self._file.tell()
        record = {"key": key, **asdict(answer)}
        self._file.write(json.dumps(record, separators=(",", ":")).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._places.setdefault(key, (self._path, place))

    def get(self, key: str) -> Answer:
        """The stored answer; KeyError when there is none, SnowError when its line is damaged."""
        path, place = self._places[key]
        with path.open("rb") as file:
            file.seek(place)
            line = file.readline()
        try:
            record = json.loads(line)
            return Answer(record["text"], record["finish_reason"], record["completion_tokens"])
        except (ValueError, KeyError) as error:
            raise SnowError(f"{path}: the answer {key} at byte {place} is damaged ({error}); delete that line and run again") from error

"""Results of a long job by key, kept while it runs: what is in the journal is not asked or judged again after a kill."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any


class Journal:
    """JSON values by key in a file that only grows; a context manager. Not for several threads or processes at once.

    A line holds all of one `add`, so that a kill leaves all of it or nothing; a torn line is the last and is cut off when the file
    is opened again. Nothing is flushed to the disk: a machine that dies may lose the last lines, a process does not.
    """

    def __init__(self, path: Path) -> None:
        self._values: dict[str, Any] = {}
        path.touch()
        whole = 0
        for line in path.read_bytes().splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            self._values |= json.loads(line)
            whole += len(line)
        self._file = path.open("r+b", buffering=0)
        self._file.truncate(whole)
        self._file.seek(whole)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __len__(self) -> int:
        return len(self._values)

    def add(self, values: Mapping[str, Any]) -> None:
        """Keep these together; a key that was there gets its new value."""
        line = memoryview(json.dumps(values).encode() + b"\n")
        while line:
            line = line[self._file.write(line) :]
        self._values |= values

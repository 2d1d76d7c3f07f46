"""Stage `suite`: a benchmark's data as the original, unzipped file, verified against its pinned hash.

A suite with categories is one file of all their rows: the first of each, then the second of each, so that a suite's first tasks are
of every category. Every row gets its `category`, and a `task_id` that begins with it (`difficult/EvoEval/0`), because the categories
number their tasks alike. Of BigCodeBench the rows say their `split` where it is not `complete`.
"""

from __future__ import annotations

import gzip
import hashlib
import http.client
import json
import urllib.request
import zlib
from collections import Counter
from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any, Protocol

from snow import packaged
from snow.errors import SnowError
from snow.suites import bigcodebench
from snow.suites.checkers import module_of
from snow.suites.tasks import read_suite

if TYPE_CHECKING:
    from snow.job import Job
    from snow.schema import Suite

FETCH_SECONDS = 60
GZIP = b"\x1f\x8b"


class Params(Protocol):
    suite: Suite


def run(job: Job[Params]) -> dict[str, Any]:
    """Write `suite` from the data the params name. SnowError when its bytes are not the pinned ones or its checker does not fit."""
    key = f"evaluation.suites.{job.instance}"
    data = content(job.params.suite, key)
    output = job.output("suite")
    output.write_bytes(data)
    tasks = read_suite(output)
    kind, sha256 = tasks[0].kind, hashlib.sha256(data).hexdigest()
    module_of(job.params.suite.checker, kind, key)
    counts = Counter(task.category for task in tasks if task.category)
    categories = {"categories": dict(counts)} if counts else {}
    return {"tasks": len(tasks), "kind": kind, "bytes": len(data), "sha256": sha256, **categories}


def content(settings: Suite, key: str, places: Sequence[str] | None = None) -> bytes:
    """A suite's unzipped data, verified. SnowError, which names the params' `key`, when it cannot be had or is not the pinned one.

    `places` are where the packages of another environment lie, to be looked for there instead of in this one.
    """
    if isinstance(settings.data, str):
        return chosen(pinned(settings.data, settings.sha256, key, places), settings, key)
    files = [(category, file, f"{key}.data.{category}") for category, file in sorted(settings.data.items())]
    rows = [of_category(category, pinned(file.data, file.sha256, at, places), at) for category, file, at in files]
    return "".join(chain.from_iterable(zip_longest(*rows, fillvalue=""))).encode()


def pinned(data: str, sha256: str | None, key: str, places: Sequence[str] | None = None) -> bytes:
    """The unzipped content of a reference; SnowError when it is not what `sha256` under the params' `key` says, or nothing is said."""
    try:
        read = unzipped(fetched(data, places), data)
    except SnowError as error:
        raise SnowError(f"{key}.data: {error}") from None
    except OSError as error:
        raise SnowError(f"{key}.data: {data} cannot be read ({error.strerror}); correct the path") from None
    found = hashlib.sha256(read).hexdigest()
    if sha256 is None:
        raise SnowError(f"{data} is not pinned: its SHA-256, unzipped, is {found}; compare it and write it to {key}.sha256")
    if found != sha256:
        raise SnowError(
            f"{data}: its SHA-256, unzipped, is {found}, but {key}.sha256 expects {sha256}; "
            "fetch the pinned version again, or pin this one if you mean it"
        )
    return read


def chosen(data: bytes, settings: Suite, key: str) -> bytes:
    """The rows of BigCodeBench that the params ask for; another suite's file as it is. SnowError when hard tasks are missing."""
    if settings.split == "complete" and not settings.hard:
        return data
    rows = [json.loads(line) for line in data.decode().split("\n") if line.strip()]
    if settings.hard:
        rows = [row for row in rows if row["task_id"] in bigcodebench.HARD]
        if len(rows) != len(bigcodebench.HARD):
            raise SnowError(f"{key}.data has {len(rows)} of the {len(bigcodebench.HARD)} hard tasks; name BigCodeBench's whole file")
    return "".join(json.dumps(row | {"split": settings.split}, ensure_ascii=False) + "\n" for row in rows).encode()


def of_category(category: str, data: bytes, key: str) -> list[str]:
    """The lines of one category's file with its name in them. SnowError when they are no JSON objects with a task_id."""
    try:
        rows = [json.loads(line) for line in data.decode().split("\n") if line.strip()]
        named = [row | {"task_id": f"{category}/{row['task_id']}", "category": category} for row in rows]
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise SnowError(f"{key}.data names no file of JSON rows with a task_id ({error!r}); name the category's file") from error
    return [json.dumps(row, ensure_ascii=False) + "\n" for row in named]


def fetched(data: str, places: Sequence[str] | None = None) -> bytes:
    """The bytes a reference names: a URL, a path or `package:...`. SnowError when they cannot be had."""
    if not data.startswith(("https://", "http://")):
        return packaged.locate(data, places).read_bytes()
    try:
        with urllib.request.urlopen(data, timeout=FETCH_SECONDS) as response:
            return response.read()
    except (OSError, http.client.HTTPException) as error:
        raise SnowError(f"{data} could not be fetched ({error}); download it and name the file in evaluation.suites instead") from error


def unzipped(data: bytes, name: str) -> bytes:
    """The content of a gzip file, or of a plain one as it is."""
    if not data.startswith(GZIP):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise SnowError(f"{name} is a broken gzip file ({error}); fetch it again") from error

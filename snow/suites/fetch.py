"""Stage `suite`: a benchmark's data as the original, unzipped file, verified against its pinned hash."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import urllib.request
import zlib
from typing import TYPE_CHECKING, Any, Protocol

from snow import packaged
from snow.errors import SnowError
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
    settings = job.params.suite
    content = unzipped(fetched(settings.data), settings.data)
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != settings.sha256:
        raise SnowError(
            f"{settings.data}: its SHA-256, unzipped, is {sha256}, but evaluation.suites.{job.instance}.sha256 expects "
            f"{settings.sha256}; fetch the pinned version again, or pin this one if you mean it"
        )
    output = job.output("suite")
    output.write_bytes(content)
    tasks = read_suite(output)
    kind = tasks[0].kind
    module_of(settings.checker, kind, f"evaluation.suites.{job.instance}: {settings.data}")
    return {"tasks": len(tasks), "kind": kind, "bytes": len(content), "sha256": sha256}


def fetched(data: str) -> bytes:
    """The bytes a reference names: a URL, a path or `package:...`. SnowError when they cannot be had."""
    if not data.startswith(("https://", "http://")):
        return packaged.locate(data).read_bytes()
    try:
        with urllib.request.urlopen(data, timeout=FETCH_SECONDS) as response:
            return response.read()
    except (OSError, http.client.HTTPException) as error:
        raise SnowError(f"{data} could not be fetched ({error}); download it and name the file in evaluation.suites instead") from error


def unzipped(content: bytes, name: str) -> bytes:
    """The content of a gzip file, or of a plain one as it is."""
    if not content.startswith(GZIP):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise SnowError(f"{name} is a broken gzip file ({error}); fetch it again") from error

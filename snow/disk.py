"""A disk that takes no more, told apart from a bug: libraries report it by exceptions of their own, some without a word of it."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from snow.errors import SnowError

REMEDIES = {
    errno.ENOSPC: "free space there",
    errno.EDQUOT: "your quota there is used up: free some of it or ask for more",
    errno.EFBIG: "a limit on the size of files is in force (`ulimit -f`): lift it",
    errno.EROFS: "it is mounted read-only: have it mounted for writing",
}
NEARLY_FULL = 1 << 20  # bytes free; what a library could not write was likely more


def cause(error: BaseException, folder: Path) -> int | None:
    """The errno of REMEDIES that an exception, or one it came from, stands for; None for anything else.

    `folder` is where was written: torch says only that a position in the file was unexpected, so a disk that has no space left
    counts as the cause of whatever was raised.
    """
    chain: BaseException | None = error
    while chain is not None:
        if isinstance(chain, OSError) and chain.errno in REMEDIES:
            return chain.errno
        said = str(chain)  # as shutil says it of many files, and Rust, such as safetensors
        found = [code for code in REMEDIES if f"[Errno {code}]" in said or f"(os error {code})" in said]
        if found:
            return found[0]
        chain = chain.__cause__ or chain.__context__
    return errno.ENOSPC if folder.exists() and shutil.disk_usage(folder).free < NEARLY_FULL else None


@contextlib.contextmanager
def explained(name: str, folder: Path) -> Iterator[None]:
    """Within, what `cause` recognises becomes a SnowError that says what `name` could not write below `folder` and what to do."""
    try:
        yield
    except SnowError:
        raise
    except Exception as error:
        code = cause(error, folder)
        if code is None:
            raise
        scratch = Path(tempfile.gettempdir())
        free = " and ".join(f"{shutil.disk_usage(place).free >> 20} MB free at {place}" for place in (folder, scratch) if place.exists())
        raise SnowError(
            f"{name} could not write what it made: {os.strerror(code)} ({free}); {REMEDIES[code]}, then run the same command again"
        ) from error

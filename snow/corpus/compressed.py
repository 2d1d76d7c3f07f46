"""Files that may be compressed: gzip, xz, bzip2 or Zstandard, told by their first bytes and not by their names."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from pathlib import Path
from typing import IO, cast

DAMAGED = (EOFError, OSError, zlib.error, lzma.LZMAError)  # what reading raises where a file is cut or broken


def decompressed(path: Path) -> IO[bytes]:
    """The content of a file as a stream; a truncated one raises, which some readers take for a short one."""
    with path.open("rb") as stream:
        head = stream.read(6)
    opener = next((opener for magic, opener in _OPENERS if head.startswith(magic)), open)
    return cast(IO[bytes], opener(path, "rb"))


def _zstandard(path: Path, _: str) -> io.BufferedReader:
    import pyarrow as pa  # what only lists sources needs it not

    return io.BufferedReader(cast(io.RawIOBase, pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")))


_OPENERS = ((b"\x1f\x8b", gzip.open), (b"\xfd7zXZ\x00", lzma.open), (b"BZh", bz2.open), (b"\x28\xb5\x2f\xfd", _zstandard))

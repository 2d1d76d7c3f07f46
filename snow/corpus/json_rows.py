"""Rows of JSON files: JSON Lines with any line ends, or one array of objects; UTF-8, UTF-16 or UTF-32, compressed or not.

Files are streamed: memory is one row, of at most `ROW_LIMIT` characters.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from snow.corpus import compressed, units
from snow.corpus.units import Refusal
from snow.errors import SnowError

ROW_LIMIT = 2 * units.READ_LIMIT  # characters of a row; JSON's escapes take room
READ_AT_ONCE = 1 << 20  # characters of an array, or of the rest of a line that is too long

Numbered = tuple[int, dict[str, Any] | Refusal]  # row or line number from 1, and what it holds

_SPACE = re.compile(r"[ \t\r\n]*")


def json_rows(path: Path, about: str) -> Iterator[Numbered]:
    """Every line that is not blank, or every element of the array; SnowError `about` a file that cannot be read to its end."""
    try:
        with compressed.decompressed(path) as stream:
            text, is_array = _decoded(stream)
            yield from _elements(text, about) if is_array else _lines(text)
    except (*compressed.DAMAGED, UnicodeDecodeError) as error:
        raise SnowError(f"{about} cannot be read to its end ({error}); replace it") from error


def _decoded(stream: IO[bytes]) -> tuple[io.TextIOWrapper, bool]:
    """The text of a stream, and whether it begins as an array; what is no UTF-8 stays as surrogates, to be counted row by row."""
    buffered = io.BufferedReader(stream)  # type: ignore[arg-type]  # has what is used of a raw stream
    head = buffered.peek(4)
    encoding = json.detect_encoding(head[:4])
    errors = "surrogateescape" if encoding.startswith("utf-8") else "surrogatepass"
    is_array = head.decode(encoding, "replace").lstrip().startswith("[")
    return io.TextIOWrapper(buffered, encoding, errors, newline=""), is_array  # newline="": a line ends with LF, CR or both


def _lines(text: io.TextIOWrapper) -> Iterator[Numbered]:
    """A line that is too long is skipped without being held."""
    number = 0
    while line := text.readline(ROW_LIMIT):
        number += 1
        if len(line) == ROW_LIMIT and not line.endswith(("\n", "\r")):
            while (line := text.readline(READ_AT_ONCE)) and not line.endswith(("\n", "\r")):
                pass
            yield number, Refusal(units.TOO_LARGE)
        elif not line.isspace():
            try:
                yield number, _object(json.loads(line.removeprefix("\ufeff")))  # of files put one behind the other
            except (ValueError, RecursionError):
                yield number, Refusal(units.BROKEN_ROW)


def _elements(text: io.TextIOWrapper, about: str) -> Iterator[Numbered]:
    """SnowError where an element cannot be parsed: nothing tells where the next one begins."""
    decode, number = json.JSONDecoder().raw_decode, 0
    buffer = text.read(READ_AT_ONCE)
    at = buffer.index("[") + 1
    while True:
        at = _past_space(buffer, at)
        try:
            value, end = (None, at) if buffer.startswith("]", at) and not number else decode(buffer, at)
        except (ValueError, RecursionError):
            value, end = None, len(buffer)
        end = _past_space(buffer, end)
        if buffer[end : end + 1] not in (",", "]"):  # the element is not whole yet; each try reads as much again
            more = text.read(max(READ_AT_ONCE, len(buffer) - at)) if len(buffer) - at < ROW_LIMIT else ""
            if not more:
                raise SnowError(
                    f"{about} is no whole JSON array: element {number + 1} is cut, broken or larger than {ROW_LIMIT >> 20} MB; replace "
                    "it, or convert it to JSON Lines"
                )
            buffer, at = buffer[at:] + more, 0
            continue
        if end > at:
            number += 1
            yield number, _object(value)
        at = end + 1
        if buffer[end] == "]":
            break
    if (buffer[at:] + text.read(READ_AT_ONCE)).strip():
        raise SnowError(f"{about} goes on behind its JSON array; replace it, or convert it to JSON Lines")


def _past_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found is not None  # it matches nothing as well
    return found.end()


def _object(value: Any) -> dict[str, Any] | Refusal:
    return value if isinstance(value, dict) else Refusal(units.BROKEN_ROW)

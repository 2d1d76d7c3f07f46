"""Many files on a command line: a file that lists them stands there as `@FILE`, since a line of thousands of paths fits neither a shell nor
a person. It is named by what it lists, so whoever writes it again changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from snow.errors import SnowError

FOLDER = Path(".snow/lists")
MOST = 16  # as they are; a model's inputs are a dozen times as many
MARK = "@"


def words(paths: Sequence[str]) -> list[str]:
    """What stands on a command line for some files."""
    if len(paths) <= MOST:
        return list(paths)
    from snow import digest  # only here: the command line reads lists and must start at once

    text = "".join(f"{path}\n" for path in paths)
    listed = FOLDER / f"{digest.sha256(text)[:16]}.txt"
    if not listed.exists():
        digest.replace(listed, text)
    return [f"{MARK}{listed}"]


def paths(given: Iterable[str]) -> Iterator[Path]:
    """The files that words of a command line mean. SnowError for a list that is not there."""
    for word in given:
        if not word.startswith(MARK):
            yield Path(word)
            continue
        try:
            yield from map(Path, Path(word.removeprefix(MARK)).read_text().splitlines())
        except OSError as error:
            raise SnowError(f"{word}: the list of files cannot be read ({error.strerror}); `snakemake -n` writes it again") from None

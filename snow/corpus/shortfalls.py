"""Sentences for a source most of which is left out for one reason, with what to do about it; collection prints them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from snow.corpus import units

_REMEDIES = {
    units.EMPTY: "look whether its files are placeholders or links that were not fetched",
    units.BINARY: "look whether its files are compressed or encrypted",
    units.INVALID_UTF8: "convert it to UTF-8",
    units.TOO_LARGE: "split its files",
    units.UNREADABLE: "make it readable",
    units.NOT_A_FILE: "name the folders its links lead to",
    units.INVALID_PATH: "rename its files",
    units.DUPLICATE_PATH: "pack it again",
    units.BROKEN_ROW: "see broken_rows in the receipt, and fields in params.yaml",
    units.BROKEN_NOTEBOOK: "set `notebooks: json` where notebooks are scripts already",
}
_MEANT = (units.LANGUAGE, units.LIMIT_FILES, units.EXCLUDE_PATHS, units.SUBMODULE)
_NO_LICENSE = "add a license that it is under to licenses.allow, or exclude what is under another"
_UNKNOWN = (
    "corpus/repositories says what was found where; state its `license` for what says none, with `license_precedence: override` also "
    "for what is not recognised"
)


def shortfalls(source: str, seen: int, dropped: Mapping[str, int], unknown: Mapping[str, int]) -> Iterator[str]:
    """One sentence for a reason that leaves out more than half of a source's files in wanted languages, or all of them.

    Files beyond `limit_files` and those of `exclude_paths` are meant to be left out. And one for its submodules, if it has any.
    """
    if submodules := dropped.get(units.SUBMODULE):
        yield f"source {source}: {submodules} submodules in this shard are not read; add the URLs of those that are wanted to its paths"
    left = seen - dropped.get(units.EXCLUDE_PATHS, 0)
    wanted = seen - sum(dropped.get(reason, 0) for reason in _MEANT)
    if seen and not left:
        yield f"source {source}: exclude_paths leaves out all of its {seen} files and rows in this shard; correct it"
        return
    if left and not wanted:
        yield f"source {source}: none of its {left} files and rows in this shard is in one of `languages`; add the languages it is in"
        return
    for reason, count in dropped.items():
        if reason in _MEANT or count * 2 <= wanted:
            continue
        remedy = _REMEDIES.get(reason, "") if reason != units.LICENSE else _UNKNOWN if sum(unknown.values()) * 2 > count else _NO_LICENSE
        yield f"source {source}: {count} of its {wanted} source files in this shard are left out because of `{reason}`; {remedy}"


def unmatched(source: str, matched: Mapping[str, int], where: str = "") -> Iterator[str]:
    """One sentence for the patterns of `exclude_paths` that matched no file of a source, or none `where` that is."""
    patterns = [repr(pattern) for pattern, count in matched.items() if not count]
    if patterns:
        yield f"source {source}: no path{where} matches {', '.join(patterns)} of exclude_paths; correct or remove what matches nowhere"

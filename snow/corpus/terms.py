"""The licence of every file of a repository, by what its folders, manifests and lists of paths state.

The nearest folder that states a licence decides, so that `third_party/x/COPYING` counts for what lies under it. In one folder the
licence files count, then its manifests, then (at the top) the README; a manifest or README whose licences are among those of the
files tells which of them apply, else both must hold. A manifest below a licence file never loosens it. A list of paths
(`debian/copyright`, `REUSE.toml`, a LICENSE that names bundled folders) counts where its pattern is as deep as that folder.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate

from snow.corpus import license_files, license_texts, licenses
from snow.corpus.units import LICENSE_LIMIT, Found, Refusal

Read = Callable[[frozenset[str]], Iterable[tuple[str, bytes | Refusal]]]  # wanted paths -> each path with its bytes

Everything = Callable[[], frozenset[str]]  # every file and folder of a repository

_PATH = re.compile(  # deps/acorn, ./etc/roots.pem, docs/, the "docs" directory
    r"(?<![\w/.:])(?:\./)?((?:[\w@+-][\w.@+-]*/)+[\w.@+-]*)|(?<![\w.-])([\w.-]+)[\"'`]?\s+(?:sub-?)?(?:director(?:y|ies)|folders?)\b"
)


@dataclass(frozen=True)
class _Rule:
    pattern: re.Pattern[str]
    depth: int  # folders that the pattern names
    found: Found


@dataclass
class _Folder:
    """What was read in one folder, before it is put together."""

    texts: list[tuple[str, str | None]] = field(default_factory=list)  # path, expression
    named: list[tuple[str, str | None]] = field(default_factory=list)  # of a folder `LICENSES` in it
    manifests: list[tuple[str, str]] = field(default_factory=list)
    readmes: list[tuple[str, str]] = field(default_factory=list)


class Terms:
    """What the folders of a repository and its lists of paths state."""

    def __init__(self, folders: Mapping[str, Found], rules: Sequence[_Rule] = ()) -> None:
        self._folders = dict(folders)
        self._rules = rules
        self._nearest: dict[str, tuple[Found | None, int]] = {}

    def of(self, path: str) -> Found | None:
        """The statement that counts for a file; None when there is none."""
        found, depth = self._of_folder(path.rpartition("/")[0])
        rule = next((rule for rule in self._rules if rule.depth >= depth and rule.pattern.fullmatch(path)), None)
        return rule.found if rule else found

    def _of_folder(self, folder: str) -> tuple[Found | None, int]:
        if folder not in self._nearest:
            if folder in self._folders:
                answer = self._folders[folder], folder.count("/") + bool(folder)
            else:
                answer = self._of_folder(folder.rpartition("/")[0]) if folder else (None, 0)
            self._nearest[folder] = answer
        return self._nearest[folder]


def terms(files: Sequence[str], read: Read, root: Found | None = None) -> Terms:
    """Read the files that state licences and put them together; `root` is what is known of the whole already."""
    top = _top(files)
    places = {path: place for path in files if (place := license_files.place(path))}
    places = {path: place for path, place in places.items() if place[0] != license_files.README or place[1] in ("", top)}
    folders: defaultdict[str, _Folder] = defaultdict(_Folder)
    rules: list[_Rule] = []
    everything = cache(lambda: frozenset(part for path in files for part in accumulate(path.split("/"), "{}/{}".format)))
    for path, content in read(frozenset(places)):
        if not isinstance(content, bytes) or not content.strip():
            continue
        kind, folder = places[path]
        _add(folders[folder], rules, kind, folder, path, _decoded(content[:LICENSE_LIMIT]), everything)
    stated: dict[str, Found] = {} if root is None else {"": root}
    _place_distributions(folders, rules)
    for folder in sorted(folders, key=lambda name: (name.count("/") + bool(name), name)):
        if folder in stated:
            continue
        found = _together(folders[folder], _around(folder, stated))
        if found is not None:
            stated[folder] = found
    return Terms(stated, rules)


def _decoded(content: bytes) -> str:
    return content.decode("utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8", "replace")


def _place_distributions(folders: dict[str, _Folder], rules: list[_Rule]) -> None:
    """What unpacked distributions state is of the folder they lie in, or where several lie side by side, of the package of that name."""
    described = {folder: place for folder in folders if (place := license_files.distribution(folder))}
    beside = Counter(around for around, _ in described.values())
    for folder, (around, package) in described.items():
        part = folders.pop(folder)
        if beside[around] == 1 and around not in folders:
            folders[around] = part
        elif beside[around] > 1 and (found := _together(part, None)):
            inside, depth = (re.escape(f"{around}/"), around.count("/") + 1) if around else ("", 0)
            rules.append(_Rule(re.compile(rf"(?i:{inside}{re.escape(package)}(/.*|\.\w+))", re.DOTALL), depth, found))


def _around(folder: str, stated: Mapping[str, Found]) -> Found | None:
    """What counts for the folder around this one."""
    while folder:
        folder = folder.rpartition("/")[0]
        if folder in stated:
            return stated[folder]
    return None


def _top(files: Sequence[str]) -> str:
    """The folder in which all files lie, as in `project/project-1.2/...`; the root where there are several."""
    common = files[0].split("/")[:-1] if files else []
    for path in files:
        parts = path.split("/")[:-1]
        while parts[: len(common)] != common:
            common.pop()
        if not common:
            break
    return "/".join(common)


def _add(into: _Folder, rules: list[_Rule], kind: str, folder: str, path: str, text: str, everything: Everything) -> None:
    if kind == license_files.MANIFEST:
        if stated := license_files.in_manifest(path, text):
            into.manifests.append((path, stated))
    elif kind == license_files.README:
        if stated := license_files.in_readme(text):
            into.readmes.append((path, stated))
    elif kind == license_files.FOLDER:
        into.named.append((path, license_files.of_named_text(path, text)))
    elif kind == license_files.PATHS:
        inside = re.escape(f"{folder}/") if folder else ""
        for pattern, depth, expression, words in license_files.per_path(path, text):
            at = depth + folder.count("/") + bool(folder)
            rules.append(_Rule(re.compile(inside + f"(?:{pattern.pattern})", re.DOTALL), at, Found(expression, path, words)))
    else:
        expression = _of_text(rules, folder, path, text, everything)
        if expression is not None or kind == license_files.TEXT:
            into.texts.append((path, expression))


def _of_text(rules: list[_Rule], folder: str, path: str, text: str, everything: Everything) -> str | None:
    """A licence file's licence; what it says, after the first licence, of folders and files that it names becomes rules of their own."""
    regions, rest = license_texts.regions(text)
    own: list[str] = []

    def of_parts(words: str, expression: str | None) -> bool:
        parts = _existing(words, folder, everything()) if own and expression else frozenset()
        for part in sorted(parts):  # shallower than that folder, so that a licence file of its own counts more
            rules.append(_Rule(re.compile(rf"{re.escape(part)}(/.*)?", re.DOTALL), part.count("/"), Found(expression, path)))
        return bool(parts)

    for region in regions:
        if not of_parts(region.before, region.name):
            own.append(region.name)
    left: list[str] = []
    title = ""  # a paragraph that names no licence: "A, located at deps/a, is licensed as follows:"
    for words in re.split(r"\n[ \t]*\n", rest):
        expression = license_texts.of_regions((), words)
        # A mere mention of a folder takes nothing out of a restricting licence.
        loosens = license_texts.restricts(" ".join(own)) and not license_texts.restricts(expression or "")
        if loosens or not (of_parts(words, expression) or of_parts(title, expression)):
            left.append(words)
        title = "" if expression else words
    return license_texts.of_regions(own, "\n\n".join(left))


def _existing(text: str, folder: str, everything: frozenset[str]) -> frozenset[str]:
    """The files and folders of the repository that a text names."""
    inside = f"{folder}/" if folder else ""
    return everything.intersection(inside + (match[1] or match[2]).rstrip("/.") for match in _PATH.finditer(text))


def _together(folder: _Folder, above: Found | None) -> Found | None:
    """What the statements in one folder mean together; `above` is what counts for the folder around it."""
    texts = folder.texts or [item for item in folder.named if item[1] and above is None]
    known = [(path, expression) for path, expression in texts if expression]
    declared = folder.manifests
    if not declared and len(licenses.families(" ".join(expression for _, expression in known))) != 1:
        declared = folder.readmes
    if not known and not declared:
        return Found(None, texts[0][0], f"the text of {texts[0][0]}") if texts else None
    if not texts and above is not None and above.expression is not None:
        known = [(above.where, above.expression)]
    expression = licenses.settled((item for _, item in known), (item for _, item in declared))
    told = texts or not known or licenses.families(expression or "") <= licenses.families(" ".join(item for _, item in declared))
    return Found(expression, " ".join(path for path, _ in ((*texts, *declared) if told else (*known, *declared))))

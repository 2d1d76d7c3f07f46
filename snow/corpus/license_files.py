"""Which files of a repository state licences, and what each kind of manifest says.

Licence files by the names that projects give them, the manifests of package managers, a README's section on licences or its badge,
and the two formats that list licences per path: Debian's machine-readable `debian/copyright` (DEP-5, also `.reuse/dep5`) and
`REUSE.toml`.
"""

from __future__ import annotations

import email.parser
import email.policy
import json
import re
import tomllib
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from snow.corpus import license_texts, licenses

TEXT, WEAK, FOLDER, MANIFEST, README, PATHS = "text", "weak", "folder", "manifest", "readme", "paths"  # kinds of statements

_FAMILIES = (
    r"mit|apache|asl|bsd|[al]?gpl|mpl|epl|isc|boost|zlib|psf|python|artistic|x11|expat|cc0|ncsa|cddl|eupl|ofl|wtfpl|openssl|ruby|unlicense"
)
_NAME = re.compile(
    rf"((?:{_FAMILIES})[-_. ]?v?[\d.]*[-_. ])?(licen[cs]es?|copying|unlicen[cs]e|bsdl|copyrights?)(?P<rest>[-_. ].*)?", re.IGNORECASE
)
_OTHERS = re.compile(  # of what is bundled, of documents and pictures, or no licence at all
    r"third|3rd|part(y|ies)|notice|bundle|vendor|dependenc|binar|header|template|check|hint|docs?\b|document|logo|font|art\b|artwork|icon"
    r"|image|media|year|update",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"\.(py|pyi|pyx|pxd|js|mjs|cjs|ts|tsx|jsx|json|ya?ml|css|scss|less|java|kt|scala|go|rs|rb|c|h|cc|cpp|hpp|cs|php|pl|pm|sh|lua|swift|dart|m"
    r"|el|ex|exs|sql|erb|tt|tmpl|tpl|in|j2|vue|xml|toml|cfg|properties|pdf|rtf|svg|png|jpe?g|gif|ico|jar|class|gz|zip|asc|sig|lock|spdx)$",
    re.IGNORECASE,
)
_FOLDER = re.compile(r"licen[cs]es?|copying", re.IGNORECASE)
_DOCUMENT = re.compile(r"[^.]*|.*\.(txt|md|rst|text)|[\w.+-]+", re.IGNORECASE)
_README = re.compile(r"read[-_]?me([._-](md|markdown|rst|txt|text|adoc|asciidoc|rdoc|org))?", re.IGNORECASE)
_PER_PATH = ("debian/copyright", ".reuse/dep5", "REUSE.toml")
_INFO = re.compile(r"((?:.*/)?([^/-]+)[^/]*\.(?:dist|egg)-info)/(?:licenses?/.*)?([^/]+)")


def place(path: str) -> tuple[str, str] | None:
    """(kind, folder) of a file that may state the licence of a folder and what lies under it, by its name alone; else None.

    What a `.dist-info` or `.egg-info` holds is of that folder; see `distribution`.
    """
    if path.endswith(_PER_PATH):
        for name in _PER_PATH:
            if path == name or path.endswith(f"/{name}"):
                return PATHS, path[: -len(name)].rstrip("/")
    folder, _, name = path.rpartition("/")
    if "-info/" in path and (info := _INFO.fullmatch(path)):  # of an unpacked wheel or sdist
        folder, name = info[1], info[3]
        if name in ("METADATA", "PKG-INFO"):
            return MANIFEST, folder
    if (found := _NAME.fullmatch(name)) and not _CODE.search(name) and not (found["rest"] and _OTHERS.search(found["rest"])):
        return (WEAK if found[2].casefold().startswith("copyright") else TEXT), _above(folder)
    if _manifest(name):
        return MANIFEST, folder
    if _FOLDER.fullmatch(folder.rpartition("/")[2]) and _DOCUMENT.fullmatch(name) and not (_CODE.search(name) or _OTHERS.search(name)):
        near_the_top = _above(folder).count("/") == 0  # deeper they are data of a program about licences
        return (FOLDER, _above(folder)) if near_the_top and not _README.fullmatch(name) else None
    return (README, folder) if _README.fullmatch(name) and folder.count("/") <= 1 else None


def distribution(folder: str) -> tuple[str, str] | None:
    """The folder in which a `.dist-info` or `.egg-info` lies, and the import package that its name says is described; else None."""
    info = _INFO.fullmatch(f"{folder}/x")
    return (folder.rpartition("/")[0], info[2].replace(".", "/")) if info and info[1] == folder else None


def _above(folder: str) -> str:
    """The folder that `license/LICENSE.txt` or `LICENSES/MIT.txt` speaks of."""
    above, _, name = folder.rpartition("/")
    return above if _FOLDER.fullmatch(name) else folder


def of_named_text(path: str, text: str) -> str | None:
    """What a file of a `LICENSES` folder says: REUSE names each after its SPDX identifier."""
    stem = re.sub(r"\.(txt|md|rst|text)$", "", path.rpartition("/")[2], flags=re.IGNORECASE)
    return license_texts.in_text(text) or licenses.spdx(stem)


def in_manifest(path: str, text: str) -> str | None:
    """The licence a manifest states, as SPDX; what it states but nobody knows is a `LicenseRef-` after it; None when it states none."""
    read = _manifest(path.rpartition("/")[2])
    try:
        stated = list(read(text)) if read else []
    except (ValueError, TypeError, AttributeError, RecursionError, ElementTree.ParseError):  # no JSON, TOML or XML, or of another shape
        return None
    return licenses.all_of(licenses.spdx(item) or license_texts.reference(item) for item in stated if item.strip())


def _manifest(name: str) -> Callable[[str], Iterable[str]] | None:
    return _GEMSPEC if name.endswith(".gemspec") else _MANIFESTS.get(name)


def _package_json(text: str) -> Iterator[str]:
    values = json.loads(text)
    several = values.get("licenses") or []
    for item in [values.get("license"), *(several if isinstance(several, list) else [several])]:
        stated = item.get("type") or item.get("name") if isinstance(item, dict) else item
        if isinstance(stated, str) and not stated.upper().startswith("SEE LICEN"):
            yield stated


def _composer(text: str) -> Iterator[str]:
    stated = json.loads(text).get("license") or []
    yield " OR ".join([stated] if isinstance(stated, str) else stated)  # several are a choice, says Composer's schema


def _cargo(text: str) -> Iterator[str]:
    values = tomllib.loads(text)
    for package in (values.get("package", {}), values.get("workspace", {}).get("package", {})):
        if isinstance(package.get("license"), str):  # else it is the workspace's
            yield package["license"]


def _pyproject(text: str) -> Iterator[str]:
    values = tomllib.loads(text)
    project, poetry = values.get("project", {}), values.get("tool", {}).get("poetry", {})
    stated = project.get("license") or poetry.get("license")
    stated = stated.get("text") if isinstance(stated, dict) else stated
    yield from _metadata(None, stated, project.get("classifiers") or poetry.get("classifiers") or [])


def _setup_cfg(text: str) -> Iterator[str]:
    section = re.search(r"^\[metadata\]$(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL)
    stated = re.search(r"^licen[cs]e\s*[=:]\s*(\S.*)$", section[1], re.MULTILINE) if section else None
    yield from _metadata(None, stated and stated[1], re.findall(r"^\s+(License ::.*?)\s*$", section[1] if section else "", re.MULTILINE))


def _setup_py(text: str) -> Iterator[str]:
    stated = re.search(r"""\blicen[cs]e\s*=\s*(["'])([^"'\n]+)\1""", text)
    yield from _metadata(None, stated and stated[2], re.findall(r"""["'](License ::[^"'\n]+)["']""", text))


def _core_metadata(text: str) -> Iterator[str]:
    headers = email.parser.HeaderParser(policy=email.policy.compat32).parsestr(text)
    yield from _metadata(headers.get("License-Expression"), headers.get("License"), headers.get_all("Classifier") or [])


def _metadata(expression: str | None, field: str | None, classifiers: Iterable[Any]) -> Iterator[str]:
    named = [item for item in classifiers if isinstance(item, str) and item.startswith("License ::")]
    stated = licenses.of_metadata(expression, field, named)
    if stated is not None:
        yield stated
    elif field and "\n" not in field.strip() and not re.search(r"\blicen[cs]e|copying", field, re.IGNORECASE):  # `see LICENSE`
        yield field


def _pom(text: str) -> Iterator[str]:
    if "<!DOCTYPE" in text:
        return
    names = [
        item.findtext("{*}name") or item.findtext("{*}url") or "" for item in ElementTree.fromstring(text).findall("{*}licenses/{*}license")
    ]
    yield " OR ".join(filter(None, (" ".join(name.split()) for name in names)))  # several are a choice, says Maven's POM reference


def _gemspec(text: str) -> Iterator[str]:
    for stated in re.findall(r"\.licen[cs]es?\s*=\s*(\[[^\]]*\]|[\"'][^\"'\n]+[\"'])", text):
        yield from re.findall(r"[\"']([^\"'\n]+)[\"']", stated)


_GEMSPEC = _gemspec
_MANIFESTS: dict[str, Callable[[str], Iterable[str]]] = {
    "package.json": _package_json,
    "composer.json": _composer,
    "Cargo.toml": _cargo,
    "pyproject.toml": _pyproject,
    "setup.cfg": _setup_cfg,
    "setup.py": _setup_py,
    "PKG-INFO": _core_metadata,
    "METADATA": _core_metadata,
    "pom.xml": _pom,
}

_HEADING = re.compile(
    r"^(?:[#=]{1,6}[ \t]*(?:[^\w\n]*|[\d.]+[ \t]*)(?P<one>licen[cs](?:e|es|ing)\b[^\n]{0,40}|copying)[ \t#=]*"
    r"|(?P<two>licen[cs](?:e|es|ing)\b[^\n]{0,40}|copying)[ \t]*\n[-=~*^\"]{3,}[ \t]*)$",
    re.IGNORECASE | re.MULTILINE,
)
_NEXT_HEADING = re.compile(r"^(#{1,6}[ \t]|={1,6}[ \t]|[^\n]+\n[-=~*^\"]{3,}[ \t]*$)", re.MULTILINE)
_BADGES = (
    re.compile(r"img\.shields\.io/badge/licen[cs]e-((?:[^-/)\s]|--)+)-", re.IGNORECASE),
    re.compile(r"!\[licen[cs]e[: -]+([\w. +-]+)\]", re.IGNORECASE),
)


def in_readme(text: str) -> str | None:
    """The licence a README's section on licences places the project under, or its badge, or None."""
    if heading := _HEADING.search(text):
        section = text[heading.end() : heading.end() + 4000].lstrip("\n")
        following = _NEXT_HEADING.search(section)
        section = section[: following.start()] if following else section
        plain = re.sub(r"!?\[([^\]]*)\](\([^)]*\)|\[[^\]]*\])?", r"\1", section).replace("`", "").replace("*", "").strip()
        first = plain.partition("\n")[0].strip(" .")
        said = (
            license_texts.in_text(section)
            or license_texts.in_words(plain)
            or licenses.spdx(re.split(r" ?(?:©|\(c\)|,|—| - |\. )", first)[0])
        )
        if said:
            return said
    for badge in _BADGES:
        if found := badge.search(text):
            return licenses.spdx(found[1].replace("--", "-").replace("%20", " ").replace("_", " "))
    return None


def per_path(path: str, text: str) -> Iterator[tuple[re.Pattern[str], int, str | None, str]]:
    """(pattern, folders its fixed part names, licence, as stated) of each entry of a file of `_PER_PATH`, a later one before an earlier."""
    entries = _reuse(text) if path.endswith("REUSE.toml") else _dep5(text)
    for glob, expression, stated in reversed(list(entries)):
        fixed = re.split(r"[*?\[]", glob, maxsplit=1)[0]
        yield re.compile(_glob(glob, path.endswith("REUSE.toml"))), fixed.count("/"), expression, stated


def _glob(glob: str, segments: bool) -> str:
    """DEP-5's `*` crosses folders; with `segments`, as in REUSE.toml, only `**` does. Without backtracking: globs are others' text."""
    fixed, *rest = re.split(r"(\*+)", glob.removeprefix("./"))
    pattern = _fixed(fixed, segments)
    for at, (stars, fixed) in enumerate(zip(rest[::2], rest[1::2], strict=True), start=1):
        wild = "[^/]" if segments and len(stars) == 1 else "."
        last = 2 * at == len(rest)  # behind it the path ends
        pattern += f"{wild}*{_fixed(fixed, segments)}" if last else f"(?>{wild}*?{_fixed(fixed, segments)})"
    return pattern


def _fixed(text: str, segments: bool) -> str:
    return re.escape(text) if segments else re.escape(text).replace(r"\?", ".")


def _reuse(text: str) -> Iterator[tuple[str, str | None, str]]:
    try:
        annotations = tomllib.loads(text).get("annotations", [])
        for entry in annotations:
            stated, globs = entry.get("SPDX-License-Identifier", []), entry.get("path", [])
            stated = " AND ".join([stated] if isinstance(stated, str) else stated)
            listed = [globs] if isinstance(globs, str) else globs
            yield from ((glob, licenses.spdx(stated), stated) for glob in listed if stated and isinstance(glob, str))
    except (ValueError, TypeError, AttributeError, RecursionError):
        return


def _dep5(text: str) -> Iterator[tuple[str, str | None, str]]:
    paragraphs = [_fields(paragraph) for paragraph in re.split(r"\n[ \t]*\n", text)]
    if not paragraphs or "format" not in paragraphs[0]:
        return
    texts = {}
    for fields in paragraphs:
        name, _, body = fields.get("license", "").partition("\n")
        texts.setdefault(name.strip().casefold(), body.replace("\n .\n", "\n\n"))
    for fields in paragraphs:
        stated = fields.get("license", "").partition("\n")[0].strip()
        if "files" in fields and stated:
            expression = licenses.spdx(stated) or license_texts.in_text(texts[stated.casefold()]) or licenses.spdx(_resolved(stated, texts))
            yield from ((glob, expression, stated) for glob in fields["files"].replace(",", " ").split())


def _resolved(stated: str, texts: Mapping[str, str]) -> str:
    """`BSD-3-clause~Google or GPL-2` with each name that Debian's page does not know replaced by what its text is."""

    def known(match: re.Match[str]) -> str:
        return match[0] if licenses.spdx(match[0]) else license_texts.in_text(texts.get(match[0].casefold(), "")) or match[0]

    return re.sub(r"\b(?!(?:and|or|with)\b)[\w.~+-]+", known, stated)


def _fields(paragraph: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in paragraph.splitlines():
        if line[:1] in (" ", "\t"):
            fields[name] = fields.get(name, "") + "\n" + line
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().casefold()
            fields[name] = value.strip()
    return fields

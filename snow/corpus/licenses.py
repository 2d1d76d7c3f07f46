"""What a licence statement means: SPDX expressions out of metadata fields, classifiers, free text and whole licence files.

Nothing is guessed: a statement that names no licence this module knows is None, and a family without its member ("BSD") is a
`LicenseRef-` of its own unless the licence text settles it. SPDX expressions are checked by `packaging`, as package indexes do.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Sequence

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

Reader = Callable[[frozenset[str]], Iterable[tuple[str, object]]]  # wanted paths -> each path with its bytes, or what is none

SOME_BSD = "LicenseRef-BSD"  # says BSD, not which; all members but the rare BSD-4-Clause are permissive
LICENSE_FILE = re.compile(
    r"(licen[cs]es?|copying|unlicense)([-_. ](?!(py|pyi|pyx|js|ts|json|ya?ml|html|css|java|go|rs|rb|c|h)$)[^/]*)?", re.IGNORECASE
)

_SPELLINGS = {  # what _words() leaves of a name, several spellings apart by "|"
    "MIT": "mit|expat|mit x11|x11 mit",
    "MIT-0": "mit 0|mit no attribution",
    "Apache-2.0": "apache 2.0|apache 2|apache2|apache2.0|apache|asl 2.0|asl 2|al2",  # no index holds a package under 1.0 or 1.1
    SOME_BSD: "bsd|bsd style|bsd like",
    "BSD-3-Clause": "bsd 3 clause|3 clause bsd|bsd 3|bsd3|new bsd|bsd new|modified bsd|revised bsd|bsd 3 clause new or revised|bsd 3clause",
    "BSD-2-Clause": "bsd 2 clause|2 clause bsd|bsd 2|bsd2|simplified bsd|freebsd|bsd simplified|bsd 2 clause simplified",
    "ISC": "isc|iscl",
    "PSF-2.0": "psf|psfl|psf 2|python foundation|psf 2.0",
    "MPL-1.1": "mpl 1.1|mozilla public 1.1",
    "MPL-2.0": "mpl|mpl 2|mpl 2.0|mpl2|mozilla public 2.0",
    "GPL-2.0-only": "gpl 2|gpl2|gplv2|gpl 2.0|gnu general public 2|gnu general public 2.0|gnu gpl 2|gnu gplv2",
    "GPL-2.0-or-later": "gpl 2+|gplv2+|gpl2+|gnu general public 2 or later",
    "GPL-3.0-only": "gpl 3|gpl3|gplv3|gpl 3.0|gnu general public 3|gnu general public 3.0|gnu gpl 3|gnu gplv3",
    "GPL-3.0-or-later": "gpl 3+|gplv3+|gpl3+|gnu general public 3 or later",
    "LicenseRef-GPL": "gpl|gnu gpl|gnu general public|gnu general public gpl",
    "LicenseRef-LGPL": "lgpl|gnu lgpl|gnu lesser general public|gnu library or lesser general public",
    "LGPL-2.0-or-later": "lgplv2+|gnu lesser general public 2 or later",
    "LGPL-2.1-only": "lgpl 2.1|lgplv2.1|lgpl2.1|lgplv2|gnu lesser general public 2",
    "LGPL-3.0-only": "lgpl 3|lgplv3|lgpl3|gnu lgplv3|gnu lesser general public 3",
    "LGPL-3.0-or-later": "lgplv3+|lgpl 3+|gnu lesser general public 3 or later",
    "AGPL-3.0-only": "agpl|agpl 3|agplv3|agpl3|gnu agplv3|gnu affero general public 3",
    "AGPL-3.0-or-later": "agplv3+|gnu affero general public 3 or later",
    "EPL-1.0": "eplv1|epl 1|eclipse public 1.0",
    "EPL-2.0": "epl 2|eplv2|eclipse public 2.0",
    "ZPL-2.1": "zpl 2.1|zope public|zpl",
    "UPL-1.0": "universal permissive",
    "Unlicense": "unlicense",
    "CC0-1.0": "cc0|cc0 1.0 universal|cc0 1.0|cc0 1.0 universal cc0 1.0 public domain dedication",
    "BSL-1.0": "boost|boost 1.0",
    "HPND": "historical permission notice and disclaimer",
    "Zlib": "zlib|zlib libpng",
    "0BSD": "zero clause bsd",
    "LicenseRef-Public-Domain": "public domain",
    "AFL-3.0": "academic free|academic free 3.0",
    "Artistic-2.0": "artistic 2.0",
    "NCSA": "ncsa|university illinois ncsa open source",
}
_BY_SPELLING = {spelling: spdx for spdx, spellings in _SPELLINGS.items() for spelling in spellings.split("|")}
_FILLER = re.compile(r"\b(the|licen[cs](ed?|es)|software|version|under|terms|of|osi approved)\b|\bv(?=\d)|[^\w.+]+")
_ABBREVIATION = re.compile(r"\s*\([^()]*\)\s*$")  # `GNU General Public License v3 (GPLv3)`

# Phrases that occur in the licence itself, after blanks are collapsed and case is folded.
_TEXTS = (
    ("AGPL-3.0", r"gnu affero general public license version 3, 19 november 2007"),
    ("LGPL-3.0", r"gnu lesser general public license version 3, 29 june 2007"),
    ("LGPL-2.1", r"gnu lesser general public license version 2\.1, february 1999"),
    ("LGPL-2.0", r"gnu library general public license version 2, june 1991"),
    ("GPL-3.0", r"gnu general public license version 3, 29 june 2007"),
    ("GPL-2.0", r"gnu general public license version 2, june 1991"),
    ("LicenseRef-GPL", r"gnu (affero |lesser |library )?general public license"),
    ("MPL-2.0", r"mozilla public license,? (version|v\.?) ?2\.0"),
    ("EPL-2.0", r"eclipse public license ?- ?v ?2\.0"),
    ("ZPL-2.1", r"zope public license \(zpl\) version 2\.1"),
    ("Apache-2.0", r"apache license,? (version )?2\.0|apache\.org/licenses/license-2\.0"),
    ("BSD-4-Clause", r"redistribution and use in source and binary forms.{0,2000}all advertising materials mentioning"),
    ("BSD-3-Clause", r"redistribution and use in source and binary forms.{0,2000}(neither the names? |not be used to endorse)"),
    ("BSD-2-Clause", r"redistribution and use in source and binary forms"),
    ("MIT", r"permission is hereby granted, free of charge, to any person obtaining .{0,2000}(shall|must) be included in"),
    ("MIT-0", r"permission is hereby granted, free of charge, to any person obtaining a copy of this software and"),
    ("BSL-1.0", r"boost software license ?- ?version 1\.0"),
    ("ISC", r"permission to use, copy, modify,? (and/or|and) distribute this software for any purpose .{0,80}provided that"),
    ("0BSD", r"permission to use, copy, modify,? and/or distribute this software for any purpose"),
    ("PSF-2.0", r"python software foundation license version 2|psf license agreement"),
    ("Zlib", r"provided 'as-is', without any express or implied warranty.{0,1500}altered source versions must be plainly marked"),
    ("Unlicense", r"this is free and unencumbered software released into the public domain"),
    ("CC0-1.0", r"cc0 1\.0 universal"),
)
_TEXT_PATTERNS = tuple((name, re.compile(pattern)) for name, pattern in _TEXTS)
_COVERS = {  # what a licence's own text mentions besides itself, or what a longer one has in common with a shorter one
    **dict.fromkeys(("AGPL-3.0", "LGPL-3.0", "LGPL-2.1", "LGPL-2.0", "GPL-3.0", "GPL-2.0", "MPL-2.0", "EPL-2.0"), ("LicenseRef-GPL",)),
    "PSF-2.0": ("LicenseRef-GPL", "0BSD"),
    "BSD-4-Clause": ("BSD-3-Clause", "BSD-2-Clause"),
    "BSD-3-Clause": ("BSD-2-Clause",),
    "MIT": ("MIT-0",),
    "ISC": ("0BSD",),
}
_TEXT_LIMIT = 1 << 20  # bytes of a licence file that are looked at
_VAGUE_CLASSIFIERS = frozenset({"License :: OSI Approved", "License :: DFSG approved"})
_BSD_MEMBER = re.compile(r"\bBSD-\d-Clause\b")
_HEADER = re.compile(r"^[ \t#/*;!<>\"'.%(-]{0,12}SPDX-License-Identifier:[ \t]*([^\r\n*>]+)", re.MULTILINE)
_STATEMENT_CHARS = 1000  # longer than any expression on an index; what is longer is a text
_HEADER_CHARS = 2000  # where a file states its own licence


def _words(text: str) -> str:
    """A licence's name without filler: `The Apache License, Version 2.0` -> `apache 2.0`."""
    return " ".join(_FILLER.sub(" ", text.casefold()).split()).removesuffix(".")


@functools.lru_cache(maxsize=4096)
def spdx(statement: str) -> str | None:
    """The SPDX expression a short statement means (`Apache 2.0`, `mit OR bsd-3-clause`, `GPLv2 | EPLv1`), or None.

    A slash or bar between licences is a choice, `&` and `;` are both at once.
    """
    if len(statement) > _STATEMENT_CHARS:
        return None
    try:
        return str(canonicalize_license_expression(statement))
    except InvalidLicenseExpression:
        pass
    whole = _BY_SPELLING.get(_words(statement)) or _BY_SPELLING.get(_words(_ABBREVIATION.sub("", statement)))
    if whole:
        return whole
    parts = re.split(r"(\band\b|\bor\b|[()/|&;])", statement, flags=re.IGNORECASE)
    if len(parts) == 1:
        return None
    joined = []
    for part in (part.strip() for part in parts):
        if part.lower() in ("and", "&", ";"):
            joined.append("AND")
        elif part.lower() in ("or", "/", "|"):
            joined.append("OR")
        elif part in ("(", ")", ""):
            joined.append(part)
        else:
            named = spdx(part)
            if named is None:
                return None
            joined.append(f"({named})" if " " in named else named)
    try:
        return str(canonicalize_license_expression(" ".join(filter(None, joined))))
    except InvalidLicenseExpression:
        return None


@functools.lru_cache(maxsize=4096)
def permitted(expression: str, allow: frozenset[str]) -> bool:
    """Whether an SPDX expression may be used when only `allow` (case-folded identifiers) is: one choice of OR, all of AND.

    An exception (`WITH`) and a `+` only add rights, so the licence before them decides. AND binds tighter than OR, as in SPDX.
    """
    tokens = re.findall(r"[()]|[^\s()]+", expression)

    def choice(position: int) -> tuple[bool, int]:
        value, position = every(position)
        while position < len(tokens) and tokens[position] == "OR":
            other, position = every(position + 1)
            value = value or other
        return value, position

    def every(position: int) -> tuple[bool, int]:
        value, position = single(position)
        while position < len(tokens) and tokens[position] == "AND":
            other, position = single(position + 1)
            value = value and other
        return value, position

    def single(position: int) -> tuple[bool, int]:
        if tokens[position] == "(":
            value, position = choice(position + 1)
            return value, position + 1
        value, position = tokens[position].removesuffix("+").casefold() in allow, position + 1
        return value, position + 2 if tokens[position : position + 1] == ["WITH"] else position

    return choice(0)[0]


def all_of(expressions: Iterable[str]) -> str | None:
    """One expression that requires every one of several, None for none."""
    distinct = list(dict.fromkeys(expressions))
    if len(distinct) < 2:
        return distinct[0] if distinct else None
    return str(canonicalize_license_expression(" AND ".join(f"({item})" if " OR " in item else item for item in distinct)))


def in_text(text: str) -> str | None:
    """The licences a licence file's text contains, joined by AND (it may bundle several), or None when it is none known."""
    flat = " ".join(text.casefold().replace("\u2018", "'").replace("\u2019", "'").replace("``", "'").replace("''", "'").split())
    found = [name for name, pattern in _TEXT_PATTERNS if pattern.search(flat)]
    covered: set[str] = set()
    for name in found:
        if name not in covered:
            covered.update(_COVERS.get(name, ()))
    return all_of(sorted(name for name in found if name not in covered))


def of_repository(stated: str | None, files: Iterable[str], read: Reader) -> tuple[str | None, str]:
    """A repository's licence: `stated`, else what the licence files at its root say together; and where that is from, for receipts."""
    if stated is not None:
        return spdx(stated), stated
    at_root = frozenset(path for path in files if LICENSE_FILE.fullmatch(path))
    texts = [content[:_TEXT_LIMIT].decode("utf-8", "replace") for _, content in read(at_root) if isinstance(content, bytes)]
    return all_of(filter(None, map(in_text, texts))), " ".join(sorted(at_root))


def in_header(content: str) -> str | None:
    """The licence a source file states for itself in an `SPDX-License-Identifier` line near its top, or None."""
    head = content[:_HEADER_CHARS]
    found = _HEADER.search(head) if "SPDX-License-Identifier:" in head else None
    return spdx(found[1].strip(" \t\"'-")) if found else None


def of_distribution(expression: str | None, field: str | None, classifiers: Sequence[str], texts: Iterable[str]) -> str | None:
    """A Python distribution's licence from its core metadata, the most exact statement first.

    `License-Expression`, then a `License` of one line, then the `License ::` classifiers (all of them must hold: they do not
    say whether they are choices), then whole texts: a long `License` and the licence files. What is declared counts before
    what the texts contain, because they also list what the wheel's binaries bundle; a bare "BSD" they tell which one it is.
    """
    paragraphs = bool(field) and "\n" in field.strip()
    stated = spdx(expression) if expression else None
    if stated is None and field and not paragraphs:
        stated = spdx(field)
    if stated is None:
        named = [spdx(classifier.rpartition("::")[2].strip()) for classifier in classifiers if classifier not in _VAGUE_CLASSIFIERS]
        stated = all_of(filter(None, named)) if all(named) else None
    if stated is not None and SOME_BSD not in stated:
        return stated
    detected = [found for found in map(in_text, [field, *texts] if field and paragraphs else texts) if found]
    if stated is None:
        return all_of(detected)
    member = next((match[0] for match in map(_BSD_MEMBER.search, detected) if match), SOME_BSD)
    return stated.replace(SOME_BSD, member)

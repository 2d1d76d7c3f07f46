"""What a short licence statement means: SPDX expressions out of metadata fields, classifiers and names as people write them.

Nothing is guessed: a statement that names no licence this module knows is None, and a family without its member ("BSD") is a
`LicenseRef-` of its own unless the licence text settles it. SPDX expressions are checked by `packaging`, as package indexes do.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

PROPRIETARY = "LicenseRef-Proprietary"
SOME_BSD = "LicenseRef-BSD"  # says BSD, not which; all members but the rare BSD-4-Clause are permissive
OF_SOURCE = "license of the source"  # where a licence was found that the params state

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
    "LGPL-2.1-only": "lgplv2|gnu lesser general public 2",
    "EPL-1.0": "eplv1|epl 1|eclipse public 1.0",
    "EPL-2.0": "epl 2|eplv2|eclipse public 2.0",
    "ZPL-2.1": "zpl 2.1|zope public|zpl",
    "UPL-1.0": "universal permissive",
    "Unlicense": "unlicense",
    "CC0-1.0": "cc0|cc0 1.0 universal|cc0 1.0|cc0 1.0 universal cc0 1.0 public domain dedication",
    "BSL-1.0": "boost|boost 1.0|bsl",
    "HPND": "historical permission notice and disclaimer",
    "Zlib": "zlib|zlib libpng",
    "0BSD": "zero clause bsd",
    "LicenseRef-Public-Domain": "public domain",
    "AFL-3.0": "academic free|academic free 3.0",
    "Artistic-2.0": "artistic 2.0|artistic 2",
    "Artistic-1.0-Perl": "artistic",
    "Artistic-1.0-Perl OR GPL-1.0-or-later": "perl|perl_5|perl 5|same as perl|same as perl itself",
    "PostgreSQL": "postgresql|postgres",
    "BlueOak-1.0.0": "blue oak model|blue oak model 1.0.0|blueoak|blueoak 1.0.0",
    "Ruby": "ruby|ruby's",
    "BSD-4-Clause": "bsd 4 clause|4 clause bsd|original bsd",
    "CDDL-1.0": "cddl|cddl 1.0|common development and distribution 1.0",
    "Apache-2.0 WITH LLVM-exception": "apache 2.0 with llvm exceptions|apache 2.0 with llvm exception",
    PROPRIETARY: "unlicensed|proprietary|commercial|other proprietary|all rights reserved",  # npm's UNLICENSED is no Unlicense
    "NCSA": "ncsa|university illinois ncsa open source",
}
_BY_SPELLING = {spelling: spdx for spdx, spellings in _SPELLINGS.items() for spelling in spellings.split("|")}
_FILLER = re.compile(r"\b(the|licen[cs](ed?|es)|software|version|under|terms|of|osi approved)\b|\bv(?=\d)|[^\w.+]+")
_GNU = re.compile(
    r"(?:gnu )?(?P<kind>affero |lesser |library or lesser |library |a|l)?(?:general public|gpl)(?: [al]?gpl)? ?v?(?P<version>\d(?:\.\d)?)?"
    r"(?P<later> ?\+|(?: or)?(?: any)? (?:later|newer))?(?: only)?"
)
_EXCEPTION = re.compile(r"\s+with\s+[^()|;,]*?exceptions?\b[^()|;,]*?(?=\s(?:and|or)\s|[()|;,]|$)", re.IGNORECASE)
_ABBREVIATION = re.compile(r"\s*\([^()]*\)\s*$")  # `GNU General Public License v3 (GPLv3)`

_VAGUE_CLASSIFIERS = frozenset({"License :: OSI Approved", "License :: DFSG approved"})
_STATEMENT_CHARS = 1000  # longer than any expression on an index; what is longer is a text


def _words(text: str) -> str:
    """A licence's name without filler: `The Apache License, Version 2.0` -> `apache 2.0`."""
    return " ".join(_FILLER.sub(" ", text.casefold()).split()).removesuffix(".")


def _named(words: str) -> str | None:
    if words in _BY_SPELLING:
        return _BY_SPELLING[words]
    found = _GNU.fullmatch(words)
    return gnu(found["kind"], found["version"], bool(found["later"])) if found else None


def gnu(kind: str | None, version: str | None, later: bool) -> str:
    """The identifier of a licence of the GNU family, `LicenseRef-` without a version: gnu("lesser", "2.1", True)."""
    name = {"a": "AGPL", "l": "LGPL"}.get((kind or "")[:1].casefold(), "GPL")
    if version is None:
        return f"LicenseRef-{name}"
    return f"{name}-{version if '.' in version else version + '.0'}-{'or-later' if later else 'only'}"


@functools.lru_cache(maxsize=4096)
def spdx(statement: str) -> str | None:
    """The SPDX expression a short statement means (`Apache 2.0`, `mit OR bsd-3-clause`, `GPLv2 | EPLv1`), or None.

    A slash or bar between licences is a choice, `&` and `;` are both at once.
    """
    if len(statement) > _STATEMENT_CHARS:
        return None
    if (exact := _canonical(statement)) is not None:
        return exact
    whole = _named(_words(statement)) or _named(_words(_ABBREVIATION.sub("", statement)))
    if whole:
        return whole
    statement = re.sub(r"\band/or\b", "or", _EXCEPTION.sub("", statement))
    if both := re.fullmatch(r"(.*),\s*and\s(.*)", statement, flags=re.IGNORECASE | re.DOTALL):  # Debian's: binds weaker than its or
        statement = f"({both[1]}) and ({both[2]})"
    if named := _named(_words(statement)):
        return named
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
    return _canonical(" ".join(filter(None, joined)))


def _canonical(statement: str) -> str | None:
    """An SPDX expression as SPDX writes it, without parentheses around the whole or around one licence; None for what is none."""
    try:
        exact = str(canonicalize_license_expression(statement))
    except InvalidLicenseExpression:
        return None
    exact = re.sub(r"\b([AL]?GPL-\d\.\d)\+", r"\1-or-later", re.sub(r"\((\S+)\)", r"\1", exact))
    return exact[1:-1] if re.fullmatch(r"\([^()]*\)", exact) else exact


@functools.lru_cache(maxsize=4096)
def permitted(expression: str, allow: frozenset[str]) -> bool:
    """Whether an SPDX expression may be used when only `allow` (case-folded identifiers) is: one choice of OR, all of AND.

    An exception (`WITH`) and a `+` only add rights, so the licence before them decides, unless both together are allowed. AND binds
    tighter than OR, as in SPDX.
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
        value = tokens[position].removesuffix("+").casefold() in allow
        if tokens[position + 1 : position + 2] != ["WITH"]:
            return value, position + 1
        return value or " ".join(tokens[position : position + 3]).casefold() in allow, position + 3

    return choice(0)[0]


def all_of(expressions: Iterable[str]) -> str | None:
    """One expression that requires every one of several, None for none."""
    parts = list(dict.fromkeys(part for item in expressions for part in _conditions(item)))
    return " AND ".join(f"({part})" if len(parts) > 1 and " OR " in part else part for part in parts) or None


def any_of(expressions: Iterable[str]) -> str | None:
    """One expression that leaves the choice between several, None for none."""
    distinct = list(dict.fromkeys(expressions))
    return " OR ".join(f"({item})" if len(distinct) > 1 and re.search(r" (AND|OR) ", item) else item for item in distinct) or None


def _conditions(expression: str) -> list[str]:
    """What an expression joins by AND outside parentheses, each without its own; an expression that leaves a choice is its only one."""
    parts, depth = [""], 0
    for token in re.findall(r"[()]|[^\s()]+", expression):
        depth += (token == "(") - (token == ")")
        if depth == 0 and token == "OR":
            return [expression]
        if depth == 0 and token == "AND":
            parts.append("")
        else:
            parts[-1] += token if token == ")" or parts[-1][-1:] in ("", "(") else f" {token}"
    return [part[1:-1] if part.startswith("(") else part for part in parts]


def families(expression: str) -> frozenset[str]:
    """The licences an expression names, without what a licence's text cannot tell: later versions, exceptions."""
    names = re.findall(r"[^\s()]+", re.sub(r"\bWITH \S+", "", expression))
    return frozenset(re.sub(r"(-only|-or-later|\+)$", "", name) for name in names if name not in ("AND", "OR"))


def exact(names: Iterable[str]) -> list[str]:
    """Without what another of them says more exactly: `GPL-2.0`, the text, beside `GPL-2.0-only`, a notice; "BSD" beside its member."""
    every = list(dict.fromkeys(names))
    joined = " ".join(every)
    vague = {SOME_BSD: r"\bBSD-\d|0BSD", "LicenseRef-GPL": r"(?<![AL])GPL-\d", "LicenseRef-LGPL": r"LGPL-\d", "LicenseRef-AGPL": r"AGPL-\d"}
    if len(every) > 1:
        every = [name for name in every if name != "LicenseRef-Public-Domain"] or every[:1]
    every = [name for name in every if not (name in vague and re.search(vague[name], joined))]
    return [name for name in every if not any(other.startswith(f"{name}-o") for other in every)]


def which_bsd(stated: str, found: str) -> str:
    """A statement with its bare "BSD" replaced by the member that a text was found to be."""
    member = re.search(r"\bBSD-\d-Clause\b", found)
    return stated.replace(SOME_BSD, member[0]) if member else stated


def settled(found: Iterable[str], declared: Iterable[str]) -> str | None:
    """What several statements about the same files mean together: all of them, except where one explains others.

    `found` are what licence files say, one each, `declared` what manifests and READMEs say. A declaration whose licences are among
    those of the files tells which of a file's several licences apply, and how; what a file of another licence says stays. A file that
    leaves the choice between the licences of all of them ("either of LICENSE.APACHE and LICENSE.BSD") explains the others.
    """
    found, declared = exact(found), list(dict.fromkeys(declared))
    whole = all_of(found)
    if whole is None:
        return all_of(declared)
    among = families(whole)
    declared = [which_bsd(item, whole) for item in declared]
    for item in declared:
        if families(item) <= among:
            return all_of([item, *(other for other in found if not families(other) & families(item))])
    choices = [which_bsd(item, whole) for item in found if " OR " in item]
    return next((item for item in choices if families(item) >= among - {SOME_BSD}), None) or all_of([*found, *declared])


def of_metadata(expression: str | None, field: str | None, classifiers: Sequence[str]) -> str | None:
    """What the core metadata of a Python distribution states, the most exact statement first, or None.

    `License-Expression`, then a `License` of one line, then the `License ::` classifiers (all of them must hold: they do not
    say whether they are choices).
    """
    stated = spdx(expression) if expression else None
    if stated is None and field and "\n" not in field.strip():
        stated = spdx(field)
    if stated is None:
        named = [spdx(classifier.rpartition("::")[2].strip()) for classifier in classifiers if classifier not in _VAGUE_CLASSIFIERS]
        stated = all_of(filter(None, named)) if all(named) else None
    return stated

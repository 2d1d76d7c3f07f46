"""What a text says about licences: a licence file, the comment at a source file's top, a section of a README.

Whole licences and standard notices are recognised word by word by `licenseclassifier`, a port of google/licensecheck; what it leaves
over is looked at for phrases that modified licences keep, and for sentences that place the work under a licence by name.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass

from snow.corpus import license_headers, licenses
from snow.corpus.licenses import PROPRIETARY, SOME_BSD

_OTHER_NAMES = {"libpng-1.6.35": "Libpng"}  # of the classifier's own
_LLVM = "Apache-2.0 WITH LLVM-exception"
_LLVM_TEXT = re.compile(
    r"[\s-]*LLVM Exceptions to the Apache 2\.0 License.{0,1500}?with respect to the Combined\s+Software\.?", re.I | re.DOTALL
)

# Phrases that occur in the licence itself, after blanks are collapsed and case is folded; the first that covers others goes first.
_PHRASES = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("AGPL-3.0", r"gnu affero general public license version 3, 19 november 2007"),
        ("LGPL-3.0", r"gnu lesser general public license version 3, 29 june 2007"),
        ("LGPL-2.1", r"gnu lesser general public license version 2\.1, february 1999"),
        ("LGPL-2.0", r"gnu library general public license version 2, june 1991"),
        ("GPL-3.0", r"gnu general public license version 3, 29 june 2007"),
        ("GPL-2.0", r"gnu general public license version 2, june 1991"),
        ("Apache-2.0", r"apache license,? (version )?2\.0, january 2004"),
        ("BSD-4-Clause", r"redistribution and use in source and binary forms.{0,2000}all advertising materials mentioning"),
        ("BSD-3-Clause", r"redistribution and use in source and binary forms.{0,2000}(neither the names? |not be used to endorse)"),
        ("BSD-2-Clause", r"redistribution and use in source and binary forms"),
        ("MIT", r"permission is hereby granted, free of charge, to any person obtaining .{0,2000}(shall|must) be included in"),
        ("MIT-0", r"permission is hereby granted, free of charge, to any person obtaining a copy of this software and"),
        ("ISC", r"permission to use, copy, modify,? (and/or|and) distribute this software for any purpose .{0,80}provided that"),
        ("0BSD", r"permission to use, copy, modify,? and/or distribute this software for any purpose"),
        ("Zlib", r"provided 'as-is', without any express or implied warranty.{0,1500}altered source versions must be plainly marked"),
        ("TCL", r"grant permission to use, copy, modify, distribute, and license this software and its documentation for any purpose"),
        ("LicenseRef-CommonsClause", r"commons clause|right to sell the software"),
    )
)
_COVERS = {  # what a longer phrase has in common with a shorter one
    "BSD-4-Clause": ("BSD-3-Clause", "BSD-2-Clause"),
    "BSD-3-Clause": ("BSD-2-Clause",),
    "MIT": ("MIT-0",),
    "ISC": ("0BSD",),
}

_GRANT = re.compile(
    r"licen[cs]|\bterms\b|distribut|released|available under|covered by|governed by|subject to|placed in|proprietary|confidential", re.I
)
_NO_GRANT = re.compile(
    r"\b(?:gpl|licen[cs]e)[- ]compatib|compatib\w* with (?:\w+ ){0,3}(?:gnu|[al]?gpl|licen[cs]es?)\b|\b(?:contains|includes|has) no\b"
    r"|\bnot (?:a |be )?(?:licensed|distributed|released|covered|under|subject)"
    r"|(?:instead of|unlike|no longer)\b.{0,40}(?:gpl|licen[cs]e|gnu)",
    re.I,
)
_EITHER = re.compile(r"\bdual(ly)?\b|\beither\b(?! version)|\balternatively\b|\b(your|choice) (choice|of)\b|\bany one of\b", re.I)
_ONE_OF = re.compile(r"\b(select|choose|use)\b.{0,60}\b(one|either|any) of\b", re.I)
_OR, _AND = re.compile(r"\bor\b|/", re.I), re.compile(r"\band\b(?!/or)|&", re.I)
_RESTRICTING = re.compile(r"GPL|MPL|EPL|CDDL|EUPL|SSPL|BUSL|LicenseRef-(?!BSD|Public-Domain)")
_GNU = re.compile(
    r"(?:\b(?:gnu )?(?P<kind>affero |lesser |library )?general public licen[cs]e|\b(?P<short>[al]?)gpl)(?=(?P<rest>.{0,80}))", re.I
)
_GNU_VERSION = re.compile(
    r"^\W*(?:\([al]?gpl\))?\W*(?:licen[cs]e)?\W*(?:as published by .{0,40})?\W*(?:either )?v?(?:ersion)?\.?[ -]?(\d(?:\.\d)?)", re.I
)
_LATER = re.compile(r"\+|\blater\b|\bnewer\b", re.I)
_NAMES = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("Apache-1.1", r"(?i)apache (software )?licen[cs]e,? ?(version )?v?1\.1"),
        (_LLVM, r"(?i)apache licen[cs]e,? (version |v)?2\.0 with llvm exception"),
        (
            "Apache-2.0",
            r"(?i)apache(?: software)? licen[cs]e(?!,? ?(?:version )?v?1)|\bapache[- ]?v?2(?:\.0)?\b|\bASL[- ]?2|licen[cs]e[.-]apache",
        ),
        ("BSD-4-Clause", r"(?i)\b(?:4|four)[- ]clause\W{0,3}bsd|\bbsd[- ]?(?:4|four)[- ]clause|original bsd"),
        ("BSD-3-Clause", r"(?i)\b(?:3|three)[- ]clause\W{0,3}bsd|\bbsd[- ]?(?:3|three)\b|(?:new|revised|modified)\W{0,3}bsd"),
        ("BSD-2-Clause", r"(?i)\b(?:2|two)[- ]clause\W{0,3}bsd|\bbsd[- ]?(?:2|two)\b|(?:simplified|freebsd)\W{0,3}bsd"),
        ("0BSD", r"(?i)\b0bsd\b|zero[- ]clause bsd"),
        (SOME_BSD, r"\bBSD\b"),
        ("MIT-0", r"\bMIT-0\b|(?i:MIT no attribution)"),
        ("MIT", r"\bMIT\b(?!-0)|\bExpat\b"),
        ("ISC", r"\bISC\b"),
        ("MPL-1.1", r"(?:Mozilla Public Licen[cs]e|\bMPL),? ?(?:[Vv]ersion |v)?1\.1"),
        ("MPL-2.0", r"(?:Mozilla Public Licen[cs]e|\bMPL\b)(?!,? ?(?:[Vv]ersion |v)?1\.)"),
        ("EPL-2.0", r"(?i)eclipse public licen[cs]e.{0,12}2\.0|\bEPL[- ]?v?2"),
        ("EPL-1.0", r"(?i)eclipse public licen[cs]e.{0,12}1\.0|\bEPL[- ]?v?1"),
        ("CDDL-1.0", r"(?i)common development and distribution licen[cs]e|\bCDDL\b"),
        ("EUPL-1.2", r"\bEUPL\b|(?i:european union public licen[cs]e)"),
        ("BSL-1.0", r"(?i)boost software licen[cs]e"),
        ("BUSL-1.1", r"(?i)business source licen[cs]e"),
        ("SSPL-1.0", r"(?i)server side public licen[cs]e|\bSSPL\b"),
        ("CC0-1.0", r"\bCC0\b"),
        ("LicenseRef-CC", r"\bCC[- ]BY\b|(?i:creative commons)(?!.{0,20}(?:zero|CC0))"),
        ("Zlib", r"(?i)\bzlib(?:/libpng)? licen[cs]e"),
        ("Unlicense", r"\bUnlicen[cs]e\b|\bUNLICEN[CS]E\b"),
        ("PSF-2.0", r"(?i)python software foundation licen[cs]e|\bPSFL\b|\bPSF[- ](?:licen[cs]e|2)"),
        ("PostgreSQL", r"(?i)postgresql licen[cs]e"),
        ("BlueOak-1.0.0", r"(?i)blue oak model licen[cs]e"),
        ("Artistic-2.0", r"(?i)artistic licen[cs]e,? ?(?:version )?\(?v?2"),
        ("Artistic-1.0-Perl OR GPL-1.0-or-later", r"(?i)same terms as perl"),
        ("Ruby", r"(?i)\bruby(?:'s)? licen[cs]e|same terms as ruby"),
        ("WTFPL", r"\bWTFPL\b"),
        ("LicenseRef-Public-Domain", r"(?i)\bpublic domain\b"),
        (
            PROPRIETARY,
            r"(?i)\bproprietary (?:and|licen[cs]e|information|rights|property|software of)|\bconfidential\b|\bcommercial licen[cs]e\b"
            r"|\bunauthori[sz]ed (?:copying|use)\b|\bnon-?commercial (?:use|purposes?|only|licen[cs]e)\b",
        ),
    )
)
_CAUSES = ("licen", "copying", "redistribut", "permission is", "permission to", "gpl", "public domain", "proprietary", "confidential")
_ABOUT = re.compile(  # where a notice begins and ends; what differs from file to file, its title and copyright, is outside
    r"licen[cs]|copying|distribut|permission|permitted|gpl|public domain|proprietary|confidential|\bterms\b|subject to"
    r"|free software|use of this|warrant|liab|merchantab"
)
_PARAGRAPH = re.compile(r"\n[^\w\n]*\n|\n[ \t]*[rRuU]?(?:\"\"\"|''')")
_TAG = re.compile(r"^[ \t#/*;!<>\"'.%(-]{0,12}SPDX-License-Identifier:[ \t]*([^\r\n*>]+)", re.MULTILINE)


@dataclass(frozen=True)
class Region:
    """A licence inside a text, and what stands between it and the one before."""

    name: str
    before: str


@functools.lru_cache(maxsize=256)  # packages of one tree share their licence file
def regions(text: str) -> tuple[tuple[Region, ...], str]:
    """The licences a text contains in its order, and the text without them."""
    from licenseclassifier import identify_license  # what only lists sources needs it not

    found, rest, at = [], [], 0
    for match in identify_license(text, 0.0):
        before = text[at : match.start]
        name = licenses.spdx(match.id) or _OTHER_NAMES.get(match.id) or f"LicenseRef-{match.id}"
        exception = _LLVM_TEXT.match(text, match.end) if name == "Apache-2.0" else None
        name = _LLVM if exception else name
        found.append(Region(name, before))
        rest.append(before)
        at = exception.end() if exception else match.end
    return tuple(found), "\n\n".join((*rest, text[at:]))


def in_text(text: str) -> str | None:
    """The licences a licence file's text contains, joined by AND (it may bundle several), or None when it is none known."""
    found, rest = regions(text)
    return of_regions((region.name for region in found), rest)


def of_regions(names: Iterable[str], rest: str) -> str | None:
    """What some licences in a text mean together with its remaining words: a choice between them, or what restricts them further."""
    whole = licenses.exact(sorted({*names, *_by_phrase(rest)}))
    said = in_words(rest)
    if said is None or not whole:
        return licenses.all_of(whole) or said or _tagged(rest) or licenses.spdx(rest.strip())
    known = licenses.families(" ".join(whole)) >= licenses.families(said)
    if known and " OR " in said:
        return said
    return licenses.all_of(licenses.exact([*whole, said]) if restricts(said) and not known else whole)


def restricts(expression: str) -> bool:
    """Whether an expression names a licence with conditions beyond naming the authors: copyleft, or use only by some."""
    return _RESTRICTING.search(expression) is not None


def _by_phrase(text: str) -> list[str]:
    flat = " ".join(text.casefold().replace("\u2018", "'").replace("\u2019", "'").replace("``", "'").replace("''", "'").split())
    found = [name for name, pattern in _PHRASES if pattern.search(flat)]
    covered = {shorter for name in found for shorter in _COVERS.get(name, ())}
    return [name for name in found if name not in covered]


def in_words(text: str) -> str | None:
    """The licences that sentences of a text place it under by name ("released under the MIT license", "GPL version 2"), or None."""
    found: list[str] = []
    chosen = _ONE_OF.search(" ".join(text.split())) is not None
    for sentence in re.split(r"(?<=[.;:!])\s+(?=[A-Z(])|\n[^\w\n]*\n", text):
        plain = " ".join(re.sub(r"^[ \t]*(?:[*#;%!]+|//+|--+|dnl\b)", "", sentence, flags=re.MULTILINE).split())
        if not _GRANT.search(plain) or _NO_GRANT.search(plain):
            continue
        named = _names(plain)
        between = [plain[end:start] for (_, end, _), (start, _, _) in itertools.pairwise(named)]
        a_list = bool(between) and _OR.search(between[-1]) is not None and not any(_AND.search(words) for words in between)
        names = licenses.exact(name for _, _, name in named)
        found += [(licenses.any_of if chosen or a_list or _EITHER.search(plain) else licenses.all_of)(names) or ""] if names else []
    return licenses.all_of(licenses.exact(found))


def _names(sentence: str) -> list[tuple[int, int, str]]:
    """(start, end, licence) of each licence that a sentence names."""
    named: list[tuple[int, int, str]] = []
    for match in _GNU.finditer(sentence):
        version = _GNU_VERSION.match(match["rest"])
        later = bool(version and _LATER.search(match["rest"][version.end() :]))
        end = match.end() + (version.end() if version else 0)
        named.append((match.start(), end, licenses.gnu(match["kind"] or match["short"], version and version[1], later)))
    left = sentence
    for name, pattern in _NAMES:
        named += [(match.start(), match.end(), name) for match in pattern.finditer(left)]
        left = pattern.sub(lambda match: " " * len(match[0]), left)
    return sorted(named)


def in_header(content: str) -> str | None:
    """The licence a source file states for itself near its top, or None: `SPDX-License-Identifier`, a notice, or a licence by name.

    Only the comment the file begins with is read. "BSD-style, see LICENSE" says no more than that file does, so it is None.
    """
    if tagged := _tagged(content[: license_headers.LENGTH]):
        return tagged
    comment = license_headers.comment(content)
    lowered = comment.lower()
    if not _speaks(lowered):
        return None
    about = [match.span() for match in _ABOUT.finditer(lowered)]
    start = comment.rfind("\n", 0, about[0][0]) + 1
    end = _PARAGRAPH.search(comment, about[-1][1])
    return _in_comment(comment[start : end.start() if end else None])


def _tagged(text: str) -> str | None:
    """What the `SPDX-License-Identifier` lines of a text say, all of which apply."""
    tags = _TAG.findall(text) if "SPDX-License-Identifier:" in text else []
    return licenses.all_of(licenses.spdx(tag.strip(" \t\"'-")) or reference(tag) for tag in tags)


def _speaks(lowered: str) -> bool:
    return any(cause in lowered for cause in _CAUSES)


def reference(words: str) -> str:
    """The `LicenseRef-` of a statement that names no licence we know."""
    return f"LicenseRef-{re.sub(r'[^A-Za-z0-9.]+', '-', words[:60]).strip('-') or 'unknown'}"


@functools.lru_cache(maxsize=4096)
def _in_comment(comment: str) -> str | None:
    """As `in_header`, of the part of a comment that is about licences, which the files of a repository share."""
    found, rest = regions(comment)
    said = in_words(rest)
    names = licenses.exact([*sorted({region.name for region in found}), *([said] if said is not None and said != SOME_BSD else [])])
    return licenses.any_of(names) if _EITHER.search(rest) or _ONE_OF.search(" ".join(rest.split())) else licenses.all_of(names)

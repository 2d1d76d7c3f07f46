"""Which language a file of an extension that several share is in, by what stands in its beginning.

After the heuristics of GitHub's Linguist 9.6.0 (github-linguist/linguist, lib/linguist/heuristics.yml, MIT licence), in order and
first match, with deviations where real files asked for them; bench/languages.py measures both. Linguist's Bayesian classifier, which
decides where no heuristic does, has no counterpart: the last entry of an extension does, or the file is of no known language.

Only the first `HEAD` characters are looked at. No expression has two ways to match the same blanks, so each takes time linear in them.
"""

from __future__ import annotations

import re

HEAD = 50_000  # characters, as many as Linguist's (lib/linguist/heuristics.rb, HEURISTICS_CONSIDER_BYTES)

_BEGIN = r"^[ \t]*+"
_OBJECTIVE_C = _BEGIN + r'(?:@(?:interface|implementation|protocol|property|class|end)\b|#[ \t]*import[ \t]*+[<"])'
# In a .h or .inc file: what C has not. Comments are not removed, so these are whole constructs.
_CPP = (
    _BEGIN + r"(?:template[ \t]*<|namespace[ \t]+[\w:]*[ \t]*+\n?\{|using[ \t]+(?:namespace|\w+[ \t]*=)|class[ \t]+\w[^;(\n]*+[\n{:]"
    r"|(?:public|private|protected)[ \t]*:|#[ \t]*include[ \t]*<(?:\w+|experimental/\w+)>[ \t]*$)"
    r"|\bstd::\w|\bconstexpr\b|\bstatic_cast<|\boperator[ \t]*(?:\(\)|[=+*<>\[]+)[ \t]*\("
)
_PERL = (
    r"\A#!.*\bperl|\buse[ \t]+(?:strict|warnings|vars)\b|\buse[ \t]+v?5\b|" + _BEGIN + r"use[ \t]+(?:constant|overload|lib|base|parent)\b"
    r"|" + _BEGIN + r"package[ \t]+[A-Za-z_]\w*(?:::\w+)*[ \t]*[;{]|" + _BEGIN + r"(?:my|our|local)[ \t]*[($@%]"
    r"|" + _BEGIN + r"sub[ \t]+\w+[ \t]*(?:\([^)\n]*\))?[ \t]*+\n?\{|" + _BEGIN + r"(?:require|do)[ \t]*+[\"'][^\"'\n]+\.p[lm][\"']"
    r"|" + _BEGIN + r"[$@%]\w[\w{}\[\]'\"]*[ \t]*[.|]*=[^~]|\$\w+->[\w\[({]|" + _BEGIN + r"=(?:head1|pod|cut)\b"
)
_RAKU = r"\A#!.*\b(?:raku|perl6)\b|" + _BEGIN + r"(?:use[ \t]+v6\b|unit[ \t]+(?:module|class|role|grammar)[ \t])"
_RAKU_CLASS = _BEGIN + r"(?:my[ \t]+)?(?:module|class|role|grammar)[ \t]+[A-Z][\w:]*[^;{\n]*\{"
_PROLOG = (
    r"^:-[ \t]*+[a-z_]\w*|^[a-z]\w*(?:\([^#;{}\n]*+\))?[ \t]*-->|^[a-z]\w*\([^#;{}\n]*\)[ \t]*+:-|^[a-z]\w*[ \t]*+:-"
    r"|\A#!.*\b(?:swipl|prolog)\b|^[a-z]\w*\([^#;{}$\n]*\)\.[ \t]*$"
)
_ASSEMBLY = (
    _BEGIN + r"\.?(?:globa?l|section|text|macro|endm)\b|^(?:[\w.$]++:?)?[ \t]++(?:mov|jmp|db|dw|dd|equ|push|ldr|str|ret|call)[a-z]{0,2}\b"
)
_TYPESCRIPT, _VERILOG = "TypeScript", "Verilog"


def _rules(*pairs: tuple[str | None, str]) -> tuple[tuple[str | None, re.Pattern[str]], ...]:
    """Languages with what tells them; None for what is of none that is known here, "" for all that is left."""
    return tuple((language, re.compile(pattern, re.MULTILINE)) for language, pattern in pairs)


_QT = r"\A\s*+<(?:\?xml|!DOCTYPE TS|TS\b)|<TS[ >]"
_FORTRAN = _rules(("Forth", r"^: \S"), ("Fortran", ""))
_RULES = {
    "h": _rules(("Objective-C", _OBJECTIVE_C), ("C++", _CPP), ("C", "")),
    "inc": _rules(
        ("PHP", r"\A\s*+<\?(?:php\b|=|\s)|^<\?php\b"),
        ("HTML", r"\A\s*+<(?!\?)[a-zA-Z!]"),
        (
            "BitBake",
            r"^(?:inherit|require)(?:[ \t]+[\w.${}/-]++)+[ \t]*$|^(?:SRC_URI|LICENSE|DEPENDS|RDEPENDS\S*|PACKAGECONFIG\S*)[ \t]*[?+.:]*=",
        ),
        ("POV-Ray SDL", _BEGIN + r"(?:#(?:declare|local|macro|while|version)[ \t]|(?:camera|light_source|texture|sphere)[ \t]*+\n?\{)"),
        ("SourcePawn", r"^(?:native|forward|methodmap|stock)[ \t]+\w"),
        ("NASL", _BEGIN + r"(?:(?:global|local)_var[ \t]+\w|include[ \t]*\([ \t]*[\"'][^\"'\n]+\.(?:nasl|inc)[ \t]*[\"']\))"),
        ("C++", _CPP),
        (
            "Pascal",
            r"(?i:" + _BEGIN + r"(?:\{\$(?:mode|if|ifdef|ifndef|undef|define|include|i|macro)\b|end[.;][ \t]*$|(?:const|type|var)[ \t]*$"
            r"|(?:procedure|function)[ \t]+[\w.]+[^\n{]*;))|:=[^\n]*;[ \t]*$",
        ),
        ("C", _BEGIN + r"#[ \t]*(?:include[ \t]*[<\"]|if|ifdef|ifndef|define|undef)\b|^\w[\w \t*]*\([^;{}\n]*\)[ \t]*+\n?\{|^\}[ \t]*$"),
        ("Assembly", r"(?i:" + _ASSEMBLY + r")"),
    ),
    "m": _rules(
        ("Mercury", r"^:-[ \t]*module\b"),  # may quote C
        ("Objective-C", _OBJECTIVE_C),
        ("Wolfram Language", r"^\(\*|^[ \t]*+(?:BeginPackage|Begin|Needs|Get)\[|:=[ \t]*(?:Module|Block|With)\["),
        ("Objective-C", _BEGIN + r"#[ \t]*include[ \t]*[<\"]"),
        (
            "MATLAB",
            _BEGIN + r"(?:%|function\b(?!.*\{[ \t]*$)|classdef[ \t(]|\w[\w.]*(?:\([^()\n]*\))?[ \t]*=[^=]|end(?:function|if|for|while)\b)",
        ),
        (None, ""),
    ),
    "mm": _rules(
        ("XML", r"\A\s*+<(?:\?xml|map\b)"), ("Objective-C", _OBJECTIVE_C + "|" + _BEGIN + r"#[ \t]*include[ \t]*[<\"]"), (None, "")
    ),
    "pl": _rules(("Raku", _RAKU), ("Perl", _PERL), ("Prolog", _PROLOG), ("Raku", _RAKU_CLASS), ("Perl", "")),
    "pm": _rules(("Raku", _RAKU), (None, r"\A\s*+/\* XPM \*/"), ("Perl", _PERL), ("Raku", _RAKU_CLASS), ("Perl", "")),
    "v": _rules(
        (
            "Rocq Prover",
            r"(?:^|\s)(?:Proof|Qed|Defined)\.(?:$|\s)|^[ \t]*+(?:From[ \t]+\S+[ \t]+)?Require[ \t]+(?:Import|Export)\b"
            r"|^(?:Lemma|Theorem|Definition|Fixpoint|Inductive|Example)[ \t]+\w",
        ),
        (
            "V",
            r"\$(?:if|else)[ \t]|"
            + _BEGIN
            + r"(?:pub[ \t]+)?fn[ \t]+(?:\([^)\n]*\)[ \t]*)?\w+\(|"
            + _BEGIN
            + r"import[ \t]+[a-z.]+[ \t]*$",
        ),
        (_VERILOG, ""),
    ),
    "sql": _rules(
        ("PLpgSQL", r"(?i:^\\i\b|\bAS[ \t\n]+\$\w*\$|\bLANGUAGE[ \t\n]+'?plpgsql\b)"),
        ("SQLPL", r"(?i:\bALTER[ \t]+MODULE\b|\bMODE[ \t]+DB2SQL\b|\bSYS(?:CAT|PROC)\.|\bASSOCIATE[ \t]+RESULT[ \t]+SET\b)"),
        ("PLSQL", r"(?i:\$\$PLSQL_|\bXMLTYPE\b|\bsystimestamp\b|\.nextval\b|\bCONNECT[ \t]+BY\b|\bAUTHID[ \t]+(?:DEFINER|CURRENT_USER)\b)"),
        ("TSQL", r"(?i:^[ \t]*+GO[ \t]*$|\bBEGIN[ \t]+(?:TRY|CATCH)\b|\bOUTPUT[ \t]+INSERTED\b|\bDECLARE[ \t]+@|\[dbo\])"),
        ("SQL", ""),
    ),
    "ts": _rules(("XML", _QT), (_TYPESCRIPT, "")),
    "tsx": _rules(("XML", r"(?i:\A\s*+<\?xml[ \t])"), (_TYPESCRIPT, "")),
    "cls": _rules(
        ("VBA", r"^ *+VERSION [0-9]\.[0-9] CLASS"),
        (
            "TeX",
            _BEGIN + r"\\(?:NeedsTeXFormat|ProvidesClass|LoadClass|DeclareOption|RequirePackage|documentclass|(?:re)?newcommand|def)\b",
        ),
        ("ObjectScript", r"^Class[ \t]+%?\w[\w.]*(?:[ \t]+Extends\b|[ \t]*[\[{\n])"),
        ("OpenEdge ABL", r"(?i:" + _BEGIN + r"(?:end[ \t]+(?:class|interface)\.|(?:class|interface)[ \t]+[\w.#$%&-]+[^\n{;]*:[ \t]*$))"),
        ("Java", r"^(?:import[ \t]+java|package[ \t]+[a-z][\w.]*[ \t]*;)"),
        ("Apex", r"(?i:\b(?:public|private|global|protected|virtual|abstract)\b[^\n;{}()=]{0,200}\b(?:class|interface|enum)[ \t]+\w)"),
        (None, ""),
    ),
    "fs": _rules(
        (
            "GLSL",
            _BEGIN
            + r"(?:#version\b|precision[ \t]+\w+p\b|uniform[ \t]+\w|varying[ \t]+\w|(?:in|out)[ \t]+vec[234]\b|void[ \t]+main[ \t]*\()",
        ),
        ("Forth", r"^(?:: \S|\\ |new-device\b)"),
        ("F#", _BEGIN + r"(?:#light\b|let[ \t]+\w|module[ \t]+\w|namespace[ \t]+\w|open[ \t]+\w|type[ \t]+[\w'<]|\[<)"),
        ("Filterscript", r"#include|#pragma[ \t]+(?:rs|version)|__attribute__"),
        (None, ""),
    ),
    "f": _FORTRAN,
    "for": _FORTRAN,
    "cs": _rules((None, r"![\w \t]+methodsFor: "), ("C#", "")),
    "rs": _rules(("XML", r"\A\s*+<\?xml\b"), (None, r"^#pragma[ \t]+(?:rs|version)\b"), ("Rust", "")),
    "php": _rules((None, r"\A<\?hh\b"), ("PHP", "")),
}


def language_of(extension: str, content: str) -> str | None:
    """The language of a file of one of these extensions, None for one that is not known. KeyError for another extension."""
    head = content[:HEAD]
    return next((language for language, pattern in _RULES[extension] if pattern.search(head)), None)


EXTENSIONS = frozenset(_RULES)


def languages() -> dict[str, tuple[str, ...]]:
    """Of each extension all languages that its files can turn out to be in."""
    return {extension: tuple(dict.fromkeys(language for language, _ in rules if language)) for extension, rules in _RULES.items()}

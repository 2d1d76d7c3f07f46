"""The comment a source file begins with, and what in it is about copyright and licence."""

from __future__ import annotations

import re

LENGTH = 4000  # characters of a file in which it states its own licence

_COMMENT = re.compile(
    r"(?:\s+|--\[\[.*?(?:\]\]|\Z)|/\*.*?(?:\*/|\Z)|<!--.*?(?:-->|\Z)|\{-.*?(?:-\}|\Z)|\(\*.*?(?:\*\)|\Z)"
    r"|[rRuU]?\"\"\".*?(?:\"\"\"|\Z)|[rRuU]?'''.*?(?:'''|\Z)"
    r"|(?:<\?(?:php|xml)[^\n]*|//[^\n]*|\#[^\n]*|--[^\n]*|;[^\n]*|%[^\n]*|![^\n]*|\"[^\n]*|dnl[^\n]*|[rR][eE][mM] [^\n]*|[cC*][ \t][^\n]*"
    r"|=begin.*?(?:\n=end|\Z)))*+",
    re.DOTALL,
)
# Lines with words, one below the other; what a C file includes and defines is no comment, though it begins with a hash.
_PARAGRAPH = re.compile(r"(?:^(?![ \t]*#[ \t]*(?:include|import|define|ifn?def|if|pragma)\b)[^\n]*\w[^\n]*\n?)+", re.MULTILINE)
_CAUSES = ("copyright", "rights reserved", "licen", "redistribut", "permission", "public domain", "proprietary", "gpl")
_NOTICE = re.compile(
    r"copyright|\(c\) ?(?:19|20)\d\d|\xa9|all rights reserved|licen[cs]|redistribut|distributed (?:under|on an|in the hope|without)"
    r"|permission (?:is|to)|written permission|\bgpl|public domain|proprietary|warrant(?:y|ies)|liab(?:le|ility)|merchantab"
    r"|misrepresent|free software"
)


def comment(content: str) -> str:
    """What a source file begins with in comments and blank lines, within its first LENGTH characters."""
    match = _COMMENT.match(content[:LENGTH])
    return match[0] if match else ""


def notices(content: str) -> list[tuple[int, int]]:
    """(start, end) of every paragraph of that comment that is about copyright or licence."""
    lowered = comment(content).lower()
    if not any(cause in lowered for cause in _CAUSES):
        return []
    return [match.span() for match in _PARAGRAPH.finditer(lowered) if _NOTICE.search(match[0])]

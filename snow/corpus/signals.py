"""What the filters look at, measured per document: pure functions of a document's text.

Every function takes time linear in the text, whatever the text is: encoded data is found with byte searches, regular expressions
are possessive or stop at the first character they cannot contain, and what only CPython's parser can tell has a size limit.
A signal that could not be measured is None, which `snow.corpus.filter` treats as a reason to drop the document.

Definitions follow BigCode (The Stack v1, bigcode-dataset preprocessing/filtering.py) and StarCoder2 (arXiv 2402.19173, the
filters of The Stack v2), those for OpenCoder its opc_data_filtering; deviations are named where they are made.
"""

from __future__ import annotations

import re
import string
import symtable
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from snow.corpus import comments, origins, words

if TYPE_CHECKING:
    from snow.schema import Signals

Span = tuple[int, int]

GENERATION_WORDS, GENERATION_CHARACTERS = re.compile(r"generate|autogen|do not edit"), 200  # OpenCoder's qsc_code_cate_autogen
XML_DECLARATION, XML_CHARACTERS = "<?xml version=", 100  # bigcode-dataset filter_xml
BASE64_RUN = 64  # StarCoder2's shortest base64 match, characters
HEX_RUN = 8 * 2 + 7  # its shortest hex match: eight pairs and a separator between each

_LETTERS = string.ascii_letters.encode()
_DIGITS = string.digits.encode()
_BASE64 = _LETTERS + _DIGITS + b"+/\n="
_HEX = string.hexdigits.encode() + b"xX\\, \t\n\r\f\v"  # all that a hex match is made of


def _except(members: bytes) -> bytes:
    return bytes(byte for byte in range(256) if byte not in members)


def _marks(members: bytes) -> bytes:
    """A translation table that writes `x` for members and a blank for everything else."""
    return bytes(ord("x") if byte in members else ord(" ") for byte in range(256))


_NOT_LETTERS, _NOT_DIGITS, _NOT_BLANKS = _except(_LETTERS), _except(_DIGITS), _except(string.whitespace.encode())
_BASE64_MARKS, _HEX_MARKS = _marks(_BASE64), _marks(_HEX)
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
# As published but for the blanks after a comma: without them `0x41, 0x42`, as every C array has it, is not recognised.
# The second branch takes what is too short at once, so that no pair is looked at again from the next one.
_HEX_PAIR = rb"(?:\b(?:0x|\\x)?[0-9a-fA-F]{2}(?:,\s*+|\b\s*+))"
_HEX_PAIRS = re.compile(rb"(%b{8,}+)|%b{1,7}+" % (_HEX_PAIR, _HEX_PAIR))
_UNICODE_ESCAPES = re.compile(rb"\\u[0-9a-fA-F]{4}(?:\\u[0-9a-fA-F]{4}){7,}+")
_HIDDEN = re.compile(r"<(?:(!--)|(script)\b|(style)\b)", re.IGNORECASE)
_HIDDEN_ENDS = (re.compile(r"-->"), re.compile(r"</script[^<>]*>?", re.IGNORECASE), re.compile(r"</style[^<>]*>?", re.IGNORECASE))
_TAG = re.compile(r"<[a-zA-Z/!?][^<>]*+>")
_ENTITY = re.compile(r"&#?[a-zA-Z0-9]{1,32};")


def measure(content: str, language: str, path: str, settings: Signals) -> dict[str, Any]:
    """All signals of one document, by name; lengths are in characters unless named bytes, shares are of the characters. `path` is its
    file's in its repository.

    `parses` is None for other languages than Python and `html_*` for others than HTML. `comments`, and what `snow.corpus.words`
    measures, are there only when `settings` asks for them. No text makes this raise.
    """
    data = content.encode()
    lines = content.splitlines()
    lengths = list(map(len, lines))
    characters = max(len(content), 1)  # shares of an empty document are 0
    letters, alphanumeric = alphabet(content, data)
    blanks = len(data.translate(None, _NOT_BLANKS))
    visible = max(len(content) - blanks, 1)
    longest_run, encoded = encoded_data(data)
    html = visible_characters(content) if language == "HTML" else None
    signals: dict[str, Any] = {
        "bytes": len(data),
        "characters": len(content),
        "lines": len(lines),
        "max_line_length": max(lengths, default=0),
        "mean_line_length": sum(lengths) / max(len(lines), 1),
        "alphabetic": letters / characters,
        "alphanumeric": alphanumeric / characters,
        "visible_alphabetic": letters / visible,
        "digits": (alphanumeric - letters) / visible,
        "whitespace": blanks / characters,
        "replacement": content.count("\ufffd") / characters,
        "encoded_run": longest_run,
        "encoded_fraction": encoded / characters,
        "vendored": origins.vendored(path),
        "minified": origins.minified(path, lines),
        "generated": origins.generated(path, lines),
        "generation_words": GENERATION_WORDS.search(content[:GENERATION_CHARACTERS].lower()) is not None,
        "xml": XML_DECLARATION in content[:XML_CHARACTERS],
        "html_text": html,
        "html_fraction": None if html is None else html / characters,
        "parses": None,
    }
    if language == "Python" and len(data) <= settings.max_parse_bytes and data.count(b"{") <= settings.max_parse_braces:
        signals["parses"] = parses(content)
    if settings.comments:
        signals["comments"] = comments.share(content, language)
    if settings.words:
        signals |= words.measure(content, language)
    return signals


def applicable(language: str, settings: Signals) -> tuple[str, ...]:
    """The signals of those that can be None which a document in this language should have."""
    own = {"Python": ("parses",), "HTML": ("html_text", "html_fraction")}.get(language, ())
    return (*own, "comments") if settings.comments else own


def alphabet(content: str, data: bytes) -> tuple[int, int]:
    """How many characters are letters, and letters or digits, as `str.isalpha` and `str.isalnum` say; `data` is `content` in UTF-8."""
    letters = len(data.translate(None, _NOT_LETTERS))
    digits = len(data.translate(None, _NOT_DIGITS))
    if len(data) == len(content):
        return letters, letters + digits
    others = "".join(_NOT_ASCII.findall(content))
    return letters + sum(map(str.isalpha, others)), letters + digits + sum(map(str.isalnum, others))


def encoded_data(data: bytes) -> tuple[int, int]:
    """The longest stretch of base64, hex pairs or unicode escapes, and how many characters such stretches cover together.

    StarCoder2's three expressions, with characters under two of them counted once. All are ASCII, so bytes are characters.
    """
    spans = sorted([*_runs(data.translate(_BASE64_MARKS), BASE64_RUN), *_hex_spans(data), *_unicode_spans(data)])
    covered = end = 0
    for first, last in spans:
        covered += max(last - max(first, end), 0)
        end = max(end, last)
    return max((last - first for first, last in spans), default=0), covered


def _runs(marks: bytes, shortest: int) -> Iterator[Span]:
    """Maximal runs of `x` of at least `shortest`, found without looking at every byte in Python."""
    needle = b"x" * shortest
    start = marks.find(needle)
    while start >= 0:
        end = marks.find(b" ", start + shortest)
        end = len(marks) if end < 0 else end
        yield start, end
        start = marks.find(needle, end)


def _hex_spans(data: bytes) -> Iterator[Span]:
    """Matches of the hex expression, tried only inside runs of the characters it consists of; most runs are indentation."""
    for start, end in _runs(data.translate(_HEX_MARKS), HEX_RUN):
        if len(data[start:end].strip()) >= HEX_RUN:
            # one byte beyond the run, which cannot match itself but decides whether a word ends before it
            yield from (match.span() for match in _HEX_PAIRS.finditer(data, start, end + 1) if match.lastindex)


def _unicode_spans(data: bytes) -> Iterator[Span]:
    if rb"\u" in data:
        yield from (match.span() for match in _UNICODE_ESCAPES.finditer(data))


def visible_characters(html: str) -> int:
    """Characters of the text a reader sees: without comments, scripts, styles and tags, entities as one, blanks collapsed.

    Like BeautifulSoup's `get_text` after removing script and style (bigcode-dataset filter_html), which counts all blanks. An
    attribute that contains `<` or `>` ends its tag early.
    """
    text = _ENTITY.sub("x", _TAG.sub("", _without_hidden(html)).replace("&nbsp;", " "))
    return len(" ".join(text.split()))


def _without_hidden(html: str) -> str:
    """`html` without comments, scripts and styles; one that is not closed hides the rest, as in browsers."""
    kept: list[str] = []
    position = 0
    while opening := _HIDDEN.search(html, position):
        kept.append(html[position : opening.start()])
        closing = _HIDDEN_ENDS[(opening.lastindex or 1) - 1].search(html, opening.end())
        position = closing.end() if closing else len(html)
    return "".join([*kept, html[position:]])


def parses(source: str) -> bool | None:
    """Whether this interpreter can read `source` as a Python module; None when the text exhausts the parser.

    Builds the symbol table instead of `ast.parse`'s tree of Python objects, which takes 1.7 times as long: the same parser, plus
    the compiler's checks of names (a misplaced `nonlocal`). Of 10,496 files of the standard libraries of 2.7 and 3.11 and
    installed distributions the two disagree on one, which tests a syntax error.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes and the like are the document's affair
            symtable.symtable(source.removeprefix("\ufeff"), "document", "exec")
    except (SyntaxError, ValueError):  # ValueError: null bytes, before Python 3.12
        return False
    except (RecursionError, MemoryError):
        return None
    return True

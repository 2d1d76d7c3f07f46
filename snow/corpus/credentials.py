"""Keys and passwords in source code: what Kingfisher finds, and what it leaves to a second part or to the name beside it.

Kingfisher (MongoDB, Apache-2.0) looks for 488 kinds of keys in one pass. Some it reports only with their other half near, because it can
try such a pair, and some only beside their service's name; here a key of known form is enough. Passwords, and keys of no known form, are
told by the name that they are given to: `password = "..."`, `API_KEY=...`. A span never holds more than the value.

All look at UTF-8 bytes and give spans of them. Each begins with a search that is cheap where there is nothing to find.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

Span = tuple[int, int]
Detector = Callable[[bytes], Iterator[Span]]

# Rules that find more than a secret: the whole file of an account, a URL, user and password. What is secret in it is found below.
_WHOLE = frozenset(
    f"betterleaks.{name}"
    for name in (
        "gcp-service-account",
        "gcp-application-default-credentials",
        "generic-credential-uri",
        "curl-auth-user",
        "mongodb-connection-string",
        "azure-servicebus-connection-string",
    )
)
_NAME = re.compile(rb"[A-Za-z_.-]{1,29}")  # what rules for keys in lower case take for one: linkedin = social_network
_OF_KNOWN_FORM = tuple(  # a needle that is looked for first, and the form
    (needle, re.compile(form))
    for needle, form in (
        (b"AKIA", rb"\bAKIA[A-Z0-9]{16}\b"),  # AWS, also without its secret
        (b"ASIA", rb"\bASIA[A-Z0-9]{16}\b"),
        (b"GOCSPX-", rb"\bGOCSPX-[\w-]{28}(?![\w-])"),  # Google, OAuth client secret
        (b"AccountKey=", rb"(?<=AccountKey=)[A-Za-z0-9+/]{86}=="),  # Azure storage
        (b"SharedAccessKey=", rb"(?<=SharedAccessKey=)[A-Za-z0-9+/]{40,90}={0,2}"),  # Azure service bus
        (b"Q~", rb"(?<![\w~.-])[\w~.]{3}\dQ~[\w~.-]{31,34}(?![\w~.-])"),  # Azure AD
        (b":AA", rb"\b\d{8,10}:AA[\w-]{33}(?![\w-])"),  # Telegram
        (b"key-", rb"\bkey-[0-9a-f]{32}\b"),  # Mailgun
        (b"iscord", rb"\b[MNO][\w-]{23,25}\.[\w-]{6}\.[\w-]{27,38}(?![\w-])"),  # Discord
        (b"sk-", rb"\bsk-(?:[a-z]{1,12}-)?(?=[A-Za-z_-]{0,180}\d)[\w-]{40,180}(?![\w-])"),  # OpenAI and those like it
        (b"_authToken=", rb"(?<=_authToken=)[\w-]{36,200}"),  # npm, of old
        (b"PRIVATE KEY", rb"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----[^-]{64,}-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----"),
    )
)
_USERINFO = re.compile(rb"://([^\s:/?#@\"'`<>,]{0,64}):([^\s/\"'`<>,]{1,128})@([\w.-]+|\[)")
_CURL_USER = re.compile(rb"\bcurl\b[^\n|;]{0,200}?\s(?:-u|--user)[ =]?[\"']?[\w.@-]{1,64}:([^\s\"']{4,64})(?=[\s\"']|\Z)")

_NAMES = (b"passw", b"passphrase", b"pass", b"pwd", b"identified by", b"secret", b"token", b"credential", b"key")
_PASSWORDS = frozenset(_NAMES[:5])
_SHORT = frozenset((b"pass", b"pwd"))  # words of their own, not parts of others
_WHOSE_KEY = re.compile(
    rb"(?:api|access|auth|account|private|encryption|signing|master|service|consumer|subscription|client|license|secret)[_-]?\Z"
)
_VALUE = re.compile(
    rb"(?P<rest>[\w-]{0,24})"  # of the name
    rb"(?:\\?[\"'`]?\]?\s{0,3}(?P<sign>:\s?[&\w\[\]<>?' ]{1,24}=|=>|:=|={1,3}|!==?|[:,(>])\s{0,3}|(?:\[\])?\s{1,20}(?=[\"'])=?\s?)"
    rb"(?:[brfLu@]{0,2}(?P<quote>\\?[\"'`])(?P<quoted>[^\s\"'`]{5,200}?)(?P=quote)|(?P<bare>[^\s\"'`,;<>(){}\[\]]{5,200})(?=[\s,;\"'`<]|\Z))"
)
_LINE = re.compile(rb"\s*(?:export |set |ENV |ARG |- )?(?P<name>[\w.-]+)(?:\s?:|=|\s=)\s?\Z")  # what comes before a bare value
LONGEST_NAME = 200  # bytes before the word that is looked for
_IDENTIFIER = re.compile(rb"[\w.$&*-]+")
_LOOSE = frozenset(("Shell", "PowerShell", "CMake", "YAML", "JSON", "TOML", "INI", "Text", "Markdown"))  # values without quotes are usual

_NO_VALUE = re.compile(
    rb"[{}<>\\]|\$[A-Za-z_(]|%[(\w]|\*{3}|[xX]{4}|\.{3}|\.\*|://|^[./~^]|^\d{4}-\d\d-\d\d|(?i:your|placeholder|redacted|not[_-]?set)"
)
_WORDS = re.compile(rb"[A-Za-z]*\d{0,4}(?:[_.:/+-]+(?:[A-Za-z]+\d{0,4}|\d{1,4}))*")  # access_token_v2, package/auth.py:12
_SPEAKING = re.compile(rb"(?=[\w.:-]+\Z).*(?i:passw|passphrase|pwd|secret|token|key|credential)")  # a name, not a value
_ALGORITHM = re.compile(rb"(?i)(?:sha|md|utf|aes|pbkdf|base|rsa|hs|rs|es)[-_]?\d{1,4}(?:[-_:=/].*)?\Z")  # sha512-..., too
_UUID = re.compile(rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_HEX = re.compile(rb"(?:0x)?[0-9a-fA-F]+")
_DIGIT, _LETTER, _MARK = re.compile(rb"\d"), re.compile(rb"[A-Za-z]"), re.compile(rb"[!@#$%^&*?+=~]")


def detector(cache: Path | None = None) -> Detector:
    """A function that finds Kingfisher's spans. Its rules take 5 s to compile; `cache` is a folder that keeps them compiled."""
    from kingfisher_sdk import Rules, Scanner

    scanner = Scanner(Rules(cache=cache is not None, cache_dir=cache), base64=False)

    def found(text: bytes) -> Iterator[Span]:
        for finding in scanner.scan(text):
            if finding.visible and finding.rule_id not in _WHOLE:
                start, end = finding.location["start_offset"], finding.location["end_offset"]
                if _NAME.fullmatch(text, start, end) is None and _is_whole(text[start:end]):
                    yield start, end

    return found


def _is_whole(key: bytes) -> bool:
    """Whether what begins as a private key in PEM has one, and not code that writes it."""
    return not key.startswith(b"-----BEGIN") or re.search(rb"[A-Za-z0-9+/=]{40}", key) is not None


def keys(text: bytes) -> Iterator[Span]:
    """Keys of a known form that need no other half."""
    for needle, form in _OF_KNOWN_FORM:
        if needle in text:
            yield from (match.span() for match in form.finditer(text) if _is_whole(match[0]))


def passwords_in_urls(text: bytes) -> Iterator[Span]:
    """The password of `scheme://user:password@host.name` and of `curl -u user:password`; of a local host only one that was chosen."""
    for match in _USERINFO.finditer(text) if b"://" in text else ():
        user, password, host = match.groups()
        if (_LETTER.search(password) and _worth(password, chosen=True)) or (_is_elsewhere(host) and _is_no_name(password, user)):
            yield match.span(2)
    for match in _CURL_USER.finditer(text) if b"curl" in text else ():
        if _worth(match[1], chosen=True):
            yield match.span(1)


def _is_elsewhere(host: bytes) -> bool:
    return b"." in host and re.search(rb"(?:^|\.)example\.|^[\d.]+$|\.test$", host) is None


def _is_no_name(password: bytes, user: bytes) -> bool:
    """Whether a plain word is rather a password than what stands for one."""
    stands = password in (user, b"pass") or password.isupper() or _SPEAKING.match(password) is not None
    return password.isalnum() and not stands


def named(text: bytes, language: str) -> Iterator[tuple[Span, bool]]:
    """Values that are given to a name such as `password` or `api_key`, and whether it is a password's."""
    for start, end, is_password in _names(text):
        value = _VALUE.match(text, end)
        if value is None or not _gives(text[start:end].lower(), value):
            continue
        which = "quoted" if value["bare"] is None else "bare"
        if _worth(value[which], chosen=is_password) and (which == "quoted" or _stands_bare(text, start, value, language)):
            yield value.span(which), is_password


def _gives(name: bytes, value: re.Match[bytes]) -> bool:
    """Whether the sign between name and value says that one is the other's: a comma only right after the name, nothing but a blank or a
    bracket not after `pass`, which is a word of sentences too."""
    sign = value["sign"]
    return (sign != b"," or not value["rest"]) and (name != b"pass" or sign not in (None, b"("))


def _names(text: bytes) -> Iterator[tuple[int, int, bool]]:
    """Where a name that speaks of secrets begins and ends, as far as it does, and whether it speaks of passwords."""
    lower = text.lower()
    for needle in _NAMES:
        start = lower.find(needle)
        while start >= 0:
            end = start + len(needle)
            around = lower[start - 1 : start] + lower[end : end + 1] if start else lower[end : end + 1]
            if needle == b"key":
                meant = _WHOSE_KEY.search(lower, max(0, start - 16), start)
            elif needle in _SHORT:
                meant = not _LETTER.search(around)
            else:
                meant = not lower.startswith((b"iz", b"is"), end)  # tokenizer
            if meant and b"public" not in lower[max(0, start - 16) : start]:
                yield start, end, needle in _PASSWORDS
            start = lower.find(needle, end)


def _stands_bare(text: bytes, name: int, value: re.Match[bytes], language: str) -> bool:
    """Whether a value without quotes is one and no variable: all of a line that gives it a name, in a language of such lines, to a name
    in capitals, or with marks that no variable has; or random."""
    if value["sign"] not in (b"=", b":") or b"@" in value["bare"]:
        return False
    begin = text.rfind(b"\n", max(0, name - LONGEST_NAME), name) + 1
    line = _LINE.match(text, begin, value.start("bare")) if begin or name < LONGEST_NAME else None
    if line is None or text[value.end() : value.end() + 1] not in (b"", b"\n", b"\r"):
        return looks_random(value["bare"])
    usual = language in _LOOSE or line["name"].isupper()
    return usual or _IDENTIFIER.fullmatch(value["bare"]) is None or looks_random(value["bare"])


def _worth(value: bytes, *, chosen: bool) -> bool:
    if _NO_VALUE.search(value) or _SPEAKING.match(value) or _ALGORITHM.match(value):
        return False
    return looks_random(value) or (chosen and looks_chosen(value))


def looks_random(value: bytes) -> bool:
    """Whether a value is long and mixed as generated ones are: no words, no UUID."""
    if len(value) < 16 or _UUID.fullmatch(value) or _WORDS.fullmatch(value) or not (_DIGIT.search(value) and _LETTER.search(value)):
        return False
    return entropy(value) >= (2.7 if _HEX.fullmatch(value) else 3.5)


def looks_chosen(value: bytes) -> bool:
    """Whether a value is what people take for a password: letters with digits or marks among them, or six digits, and no name."""
    if value.isdigit():
        return len(value) >= 6
    mixed = _LETTER.search(value) and (_DIGIT.search(value) or _MARK.search(value))
    return bool(mixed) and re.fullmatch(rb"[a-z]+(?:[_.-][a-z0-9]+)+|[A-Z]+(?:_[A-Z0-9]+)+", value) is None


def entropy(value: bytes) -> float:
    """Bits per byte of its own distribution."""
    return -sum(count / len(value) * math.log2(count / len(value)) for count in Counter(value).values())

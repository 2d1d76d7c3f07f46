"""E-mail and IP addresses in source code, told from what looks like them: decorators, matrix products, versions, object identifiers.

All look at UTF-8 bytes and give spans of them. Each begins with a search that is cheap where there is nothing to find.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

Span = tuple[int, int]

_AT = re.compile(rb"@(?:[A-Za-z0-9][A-Za-z0-9-]*\.)+([A-Za-z]{2,18})(?![\w(\[@-]|\.\w)")
_LOCAL = re.compile(rb"[A-Za-z0-9._%+-]{1,64}\Z")
# Generic domains that addresses have; beside these any of two letters. Of the 1,400 others many are attributes: `a @ b.data`.
_DOMAINS = frozenset(
    b"com org net edu gov mil int info biz name pro aero asia cat coop museum tel travel dev app xyz online site tech cloud email "
    b"software systems solutions agency digital studio company network technology consulting space live berlin london ninja rocks guru "
    b"codes blog".split()
)
_FILES = frozenset(b"ai cc cs go gz hh hs jl js md mk ml mm pl pm ps py rb rs sh so ts vb xz".split())  # domains, but rather file endings
_RESERVED = re.compile(
    rb"[@.](?:example\.(?:com|net|org|edu)|(?:[\w-]+\.)*(?:example|invalid|localhost|test|local))\Z", re.IGNORECASE
)  # RFC 2606, and mDNS
# What clone URLs have for an account (git@github.com:owner/name), and Kotlin before a label (this@Outer.name).
_NOBODY = frozenset(b"git hg svn this super return".split())
_PROTOCOL = re.compile(rb"@(?:openssh\.com|libssh\.org|ssh\.com)\Z")  # names of SSH's extensions: zlib@openssh.com (RFC 4251, 6)
_IN_URL = re.compile(rb"://[^\s/\"'`<>]*\Z")  # user and password before a host

_QUAD_DOTS = re.compile(rb"\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]")
_QUAD = re.compile(rb"\b(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\b")
_TWO_COLONS = re.compile(rb":(?=[0-9a-fA-F]{0,4}:)")
_COLONS = re.compile(rb"(?<![\w:.])[23][0-9a-fA-F]{3}:[0-9a-fA-F:]{2,34}(?![\w:]|\.\w)")  # 2000::/3 is all that is assigned
_BEFORE, _AFTER = 48, 24  # bytes of the line that say what four numbers are
_VERSION_BEFORE = re.compile(  # words and signs before a version: `version 1.2.3.4`, `name==1.2.3.4`, `group:artifact:1.2.3.4`
    rb"(?:version|release|revision|identifier"
    rb"|(?<![a-z])(?:vers?|rev|oid|iso|section|sec|rfc|chapter|figure|table|build|upgraded?|since|until))s?\W{0,6}\w?\Z"
    rb"|[\w.]/\w?\Z|(?:[=~<>!^]=|~>)\s{0,2}v?\Z|[A-Za-z_][-_]v?\Z|[\w.-]:\Z|(?<![A-Za-z])v\.?\s?\Z",
    re.IGNORECASE,
)
_ADDRESS_NEAR = re.compile(
    rb"(?<![a-z])ip(?:s|v4|_?addr\w*)?(?![a-z])|addr|host|server|inet|dns|proxy|gateway|subnet|netmask|route|ping|ssh|\bbind|listen"
    rb"|connect(?!i)|remote|peer|://",
    re.IGNORECASE,
)
_PORT_OR_NETWORK = re.compile(rb":\d{2,5}\b|/\d{1,2}\b")
_EVERYBODYS = frozenset(  # public resolvers, and what stands for some address
    b"8.8.8.8 8.8.4.4 1.1.1.1 1.0.0.1 9.9.9.9 149.112.112.112 208.67.222.222 208.67.220.220 1.2.3.4 4.3.2.1".split()
)


def emails(text: bytes) -> Iterator[Span]:
    """Addresses that may be somebody's: of no reserved domain, not `git@host`, not `package@1.2` or `icon@2x.png`."""
    for match in _AT.finditer(text):
        start, domain = match.start(), match[1]
        local = _LOCAL.search(text, max(0, start - 64), start)
        if local is None or not (domain.islower() or domain.isupper()):
            continue
        if domain.lower() not in _DOMAINS and (len(domain) != 2 or domain in _FILES):
            continue
        first = local.start() + (text[local.start() - 1 : local.start()] == b"\\")  # of \n before it
        whose = text[first:start].lstrip(b".-%+_")
        if not whose or whose.endswith(b".") or whose.lower() in _NOBODY:
            continue
        if _RESERVED.search(match[0]) or _PROTOCOL.search(match[0]) or _IN_URL.search(text, max(0, first - 96), first):
            continue
        yield start - len(whose), match.end()


def ip_addresses(text: bytes) -> Iterator[Span]:
    """Addresses of the public Internet: not private, reserved or for documentation, no well-known resolver, no version."""
    for dots in _QUAD_DOTS.finditer(text):
        start = dots.start() - next((count for count in (3, 2, 1) if text[dots.start() - count : dots.start()].isdigit()), 0)
        match = _QUAD.match(text, start)
        if match and _is_public(match[0]) and not _is_version(text, match):
            yield match.span()
    for colons in _TWO_COLONS.finditer(text):
        match = _COLONS.match(text, max(0, colons.start() - 4))
        if match and _is_public(match[0]):
            yield match.span()


def _is_public(written: bytes) -> bool:
    try:
        address = ipaddress.ip_address(written.decode())
    except ValueError:
        return False
    return address.is_global and not address.is_multicast and written not in _EVERYBODYS


def _is_version(text: bytes, match: re.Match[bytes]) -> bool:
    """Whether four numbers are a version, an object identifier or a part of something longer, by what stands around them."""
    start, end = match.span()
    before = text[max(0, start - _BEFORE) : start].rpartition(b"\n")[2]
    after = text[end : end + _AFTER].partition(b"\n")[0]
    if before.endswith((b".", b"-", b"+")) or re.match(rb"\.\w|[-+_~]\w", after):
        return True
    if before.endswith(b"://"):
        return False
    if _VERSION_BEFORE.search(before):
        return not _PORT_OR_NETWORK.match(after)
    numbers = sorted(map(int, match.groups()))
    return (numbers[3] < 32 or numbers[2] < 10) and not _ADDRESS_NEAR.search(before + after)

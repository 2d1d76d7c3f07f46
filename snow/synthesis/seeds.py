"""Which language each request asks for, which selected document inspires it, and which lines of that document it shows.

Everything about request n is a function of (selected documents, shares, seed, n), never of how many requests there are: with
more requests the first ones stay what they were, and so do their stored answers.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping

SNIPPET_ATTEMPTS = 16  # draws of a snippet that is blank before the document's first written lines are taken


def draw(below: int, *parts: object) -> int:
    """A number in [0, below) that depends on nothing but `parts`."""
    spelled = "\x1f".join(str(part) for part in parts).encode()
    return int.from_bytes(hashlib.blake2b(spelled, digest_size=8).digest(), "big") % below


def language_shares(tokens: Mapping[str, int], python_share: float) -> dict[str, float]:
    """The share of requests per language, sorted by name: Python gets `python_share`, the others share the rest as their tokens do.

    Where only one side has selected documents, it gets everything. [P 2.4]
    """
    languages = {name: count for name, count in sorted(tokens.items()) if count > 0}
    others = sum(count for name, count in languages.items() if name != "Python")
    if "Python" not in languages:
        python_share = 0.0
    elif not others:
        python_share = 1.0
    shares = {name: python_share if name == "Python" else (1 - python_share) * count / others for name, count in languages.items()}
    return {name: share for name, share in shares.items() if share > 0}


def languages(shares: Mapping[str, float]) -> Iterator[tuple[str, int]]:
    """(language, how many requests of that language came before) for request 0, 1, 2, ...; endless.

    Each request goes to the language that is furthest behind its share, so every prefix has the shares to within one request.
    """
    counts = dict.fromkeys(sorted(shares), 0)
    number = 0
    while True:
        number += 1
        chosen = max(counts, key=lambda name: shares[name] * number - counts[name])
        yield chosen, counts[chosen]
        counts[chosen] += 1


def position(turn: int, size: int, *parts: object) -> int:
    """Which of `size` documents the `turn`-th request of a language takes: a fixed stride, so all are used before one is used again."""
    stride = 1 + draw(size, "stride", *parts)
    while math.gcd(stride, size) != 1:
        stride += 1
    return (draw(size, "start", *parts) + turn * stride) % size


def snippet(content: str, max_lines: int, max_bytes: int, *parts: object) -> str:
    """1 to `max_lines` random consecutive lines of a document (Magicoder's seeds), at most `max_bytes` UTF-8 bytes, not all blank.

    Lines that do not fit are left out from the end, a first line that alone is too long is cut.
    """
    lines = content.replace("\r\n", "\n").split("\n")
    for attempt in range(SNIPPET_ATTEMPTS):
        count = min(1 + draw(max_lines, "lines", attempt, *parts), len(lines))
        start = draw(len(lines) - count + 1, "start", attempt, *parts)
        chosen = lines[start : start + count]
        if any(line.strip() for line in chosen):
            break
    else:
        chosen = [line for line in lines if line.strip()][:max_lines] or [""]
    while len(chosen) > 1 and len("\n".join(chosen).encode()) > max_bytes:
        chosen.pop()
    return "\n".join(chosen).strip("\n").encode()[:max_bytes].decode(errors="ignore")


def render(template: str, language: str, seed: str) -> str:
    """The prompt: `{language}` and `{seed}` replaced in one pass, so braces in the seed or elsewhere in the template stay."""
    values = {"language": language, "seed": seed}
    return re.sub(r"\{(language|seed)\}", lambda found: values[found[1]], template)

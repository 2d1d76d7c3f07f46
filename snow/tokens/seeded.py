"""Random choices that depend on names, not on order: the same document is drawn the same way in every shard layout."""

from __future__ import annotations

import hashlib

SPAN = 1 << 64


def draw(seed: int, *names: str) -> int:
    """A uniform 64-bit integer that is a function of the seed and the names alone (BLAKE2b)."""
    text = "\x00".join((str(seed), *names))
    return int.from_bytes(hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest(), "little")

"""MinHash signatures of token shingles and the banding that finds near-duplicates: The Stack's method, compiled.

A token is a maximal run of letters (`snow.corpus.letters`): in ASCII [A-Za-z_0-9], as in bigcode-dataset minhash_deduplication.py. A
shingle is `ngram` consecutive tokens. One kernel goes from UTF-8 bytes to the signature; nothing in Python is done per token.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from snow.corpus.compiled import compiled
from snow.corpus.letters import is_letter

Words = npt.NDArray[np.uint32]
LAST_LETTER = 0x3FFFF  # Unicode's planes 0 to 3; in those behind there is none
FNV_OFFSET, FNV_PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)  # FNV-1a, 64 bits
MIX = np.uint64(0xFF51AFD7ED558CCD)  # MurmurHash3's 64-bit finaliser, first multiplier
BASE = np.uint64(0x9E3779B97F4A7C15)  # of the polynomial over token hashes: odd, 2^64 / golden ratio


@dataclass(frozen=True)
class Scheme:
    """What decides a signature: the token alphabet, the shingle length, the permutations.

    The alphabet has an entry for each code point up to LAST_LETTER: 0 for a separator, else what is hashed for it.

    Permutation k maps a 32-bit shingle hash h to multipliers[k] * h + addends[k] mod 2^32, a bijection because the multipliers
    are odd: datasketch 2.0's `affine32`.
    """

    alphabet: Words
    ngram: int
    multipliers: Words
    addends: Words


def scheme(seed: int, ngram: int, permutations: int, lowercase: bool) -> Scheme:
    """The scheme of a seed; the permutations come from BLAKE2b, so they do not change with numpy's generators."""
    alphabet = np.zeros(LAST_LETTER + 1, np.uint32)
    for code in range(LAST_LETTER + 1):
        if is_letter(chr(code)):
            lowered = chr(code).lower()
            alphabet[code] = ord(lowered) if lowercase and len(lowered) == 1 else code
    drawn = [hashlib.blake2b(f"{seed} {k}".encode(), digest_size=8).digest() for k in range(permutations)]
    pairs = np.frombuffer(b"".join(drawn), dtype="<u4").reshape(permutations, 2).astype(np.uint32)
    return Scheme(alphabet, ngram, pairs[:, 0] | np.uint32(1), pairs[:, 1].copy())


def signatures(data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64], scheme: Scheme) -> tuple[Words, npt.NDArray[np.int64]]:
    """Signatures and token counts of the documents data[offsets[i]:offsets[i + 1]], UTF-8.

    Returns (documents, permutations) uint32 and (documents,) int64. A document with fewer tokens than `ngram` has no shingle;
    its row is all ones and must not be compared, or all such documents would be one cluster.
    """
    rows = np.empty((len(offsets) - 1, len(scheme.multipliers)), np.uint32)
    tokens = np.empty(len(offsets) - 1, np.int64)
    text = np.ascontiguousarray(data, np.uint8).view()
    text.flags.writeable = False  # one type for the kernel, wherever the bytes come from
    ends = np.ascontiguousarray(offsets, np.int64)
    _signatures(text, ends, scheme.alphabet, scheme.ngram, scheme.multipliers, scheme.addends, rows, tokens)
    return rows, tokens


@compiled
def _signatures(
    data: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    alphabet: Words,
    ngram: int,
    multipliers: Words,
    addends: Words,
    rows: Words,
    tokens: npt.NDArray[np.int64],
) -> None:
    longest = 0
    for document in range(len(offsets) - 1):
        longest = max(longest, offsets[document + 1] - offsets[document])
    hashes = np.empty(longest // 2 + 1, np.uint64)  # of tokens; n bytes hold at most (n + 1) / 2 of them
    shingles = np.empty(longest // 2 + 1, np.uint32)
    leaving = np.uint64(1)
    for _ in range(ngram):
        leaving *= BASE
    for document in range(len(offsets) - 1):
        count = 0
        inside = False
        value = FNV_OFFSET
        code = missing = 0  # of a character that takes several bytes: what is read of it, and how many are not
        for i in range(offsets[document], offsets[document + 1] + 1):
            symbol = np.uint32(0)
            if i < offsets[document + 1]:
                byte = data[i]
                if byte < 0x80:
                    symbol = alphabet[byte]
                else:
                    if byte < 0xC0:
                        code, missing = code << 6 | byte & 0x3F, missing - 1
                    else:
                        missing = 1 if byte < 0xE0 else 2 if byte < 0xF0 else 3
                        code = byte & (0x3F >> missing)
                    if missing:
                        continue
                    symbol = alphabet[code] if code <= LAST_LETTER else symbol
            if symbol:
                value = (value ^ np.uint64(symbol)) * FNV_PRIME
                inside = True
            elif inside:
                value = (value ^ (value >> np.uint64(33))) * MIX
                hashes[count] = value ^ (value >> np.uint64(33))
                count += 1
                inside = False
                value = FNV_OFFSET
        rolling = np.uint64(0)
        for j in range(count):
            rolling = rolling * BASE + hashes[j]
            if j >= ngram:
                rolling -= hashes[j - ngram] * leaving
            if j >= ngram - 1:
                value = (rolling ^ (rolling >> np.uint64(33))) * MIX
                shingles[j - ngram + 1] = np.uint32(value ^ (value >> np.uint64(33)))
        # Permutation by permutation: a minimum over an array is what the compiler turns into vector instructions.
        for k in range(len(multipliers)):
            multiplier, addend = multipliers[k], addends[k]
            least = np.uint32(0xFFFFFFFF)
            for j in range(count - ngram + 1):
                least = min(least, np.uint32(multiplier * shingles[j] + addend))
            rows[document, k] = least
        tokens[document] = count


def bands(threshold: float, permutations: int) -> tuple[int, int]:
    """(bands, rows per band) that minimise false positives plus false negatives: datasketch's rule, 25 x 10 at 0.7 of 256.

    A pair of Jaccard similarity s collides in some band with probability 1 - (1 - s^rows)^bands. False positives are the area
    under that curve below the threshold, false negatives the area above it beyond the threshold. Both integrands are
    polynomials of degree bands * rows <= permutations, so Gauss-Legendre with that many nodes is exact.
    """
    nodes, weights = np.polynomial.legendre.leggauss(permutations // 2 + 1)
    below, above = threshold * (nodes + 1) / 2, threshold + (1 - threshold) * (nodes + 1) / 2
    best = (np.inf, 0, 0)
    for count in range(1, permutations + 1):
        for rows in range(1, permutations // count + 1):
            false_positive = threshold / 2 * weights @ (1 - (1 - below**rows) ** count)
            false_negative = (1 - threshold) / 2 * weights @ ((1 - above**rows) ** count)
            if false_positive + false_negative < best[0]:
                best = (false_positive + false_negative, count, rows)
    return best[1], best[2]


def band_keys(rows: Words, count: int, width: int) -> npt.NDArray[np.uint64]:
    """(documents, bands) 64-bit hashes of each band's `width` values: equal bands have equal keys."""
    keys = np.full((len(rows), count), FNV_OFFSET, np.uint64)
    banded = rows[:, : count * width].reshape(len(rows), count, width)
    for column in range(width):
        keys = (keys ^ banded[:, :, column]) * MIX
        keys ^= keys >> np.uint64(33)
    return keys

"""What a stored tokenizer says about its tokens: how many ids there are, which bytes each stands for, how to encode plain text."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from snow.errors import SnowError

FILE = "tokenizer.json"


def load(folder: Path) -> Tokenizer:
    """The backend tokenizer of a Hugging Face folder, set to read special tokens written inside a text as ordinary text.

    Source code that handles `<|endoftext|>` contains it; taken literally it would end a document in its middle.
    """
    path = folder / FILE
    if not path.is_file():
        raise SnowError(f"{folder} has no {FILE}; build it with `snow tokenizer`, or name a folder with a fast tokenizer")
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.encode_special_tokens = True
    return tokenizer


def size(tokenizer: Tokenizer) -> int:
    """One more than the largest id: the rows a model's embedding needs, also where a pretrained vocabulary has gaps."""
    return max(tokenizer.get_vocab(with_added_tokens=True).values()) + 1


def token_id(tokenizer: Tokenizer, token: str) -> int:
    """The id of a special token; SnowError when the tokenizer has none of that name."""
    index = tokenizer.token_to_id(token)
    if index is None:
        raise SnowError(f"the tokenizer has no token {token}; add it to its special_tokens in params.yaml")
    return index


def is_byte_level(tokenizer: Tokenizer) -> bool:
    """Whether every token is a string over the 256 printable stand-ins of bytes, as in GPT-2, so that its bytes are known."""
    decoder = json.loads(tokenizer.to_str())["decoder"] or {}
    return "ByteLevel" in {part["type"] for part in decoder.get("decoders", [decoder]) if "type" in part}


def byte_alphabet() -> dict[str, int]:
    """GPT-2's stand-in character of every byte: printable Latin-1 stands for itself, the other 68 follow from U+0100 on."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + index): byte for index, byte in enumerate(others)}


def token_bytes(tokenizer: Tokenizer) -> list[bytes]:
    """The bytes of text each id stands for, indexed by id; empty for special tokens and gaps. Byte-level tokenizers only."""
    if not is_byte_level(tokenizer):
        raise SnowError("the tokenizer is not a byte-level BPE, so its tokens' bytes are unknown; choose one like GPT-2's or StarCoder's")
    alphabet = byte_alphabet()
    special = {index for index, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    table = [b""] * size(tokenizer)
    for token, index in tokenizer.get_vocab(with_added_tokens=True).items():
        if index in special:
            continue
        if all(character in alphabet for character in token):
            table[index] = bytes(alphabet[character] for character in token)
        else:
            table[index] = token.encode()  # an added token that is not special stands for its own text
    return table


def token_dtype(vocab_size: int) -> np.dtype:
    """The narrowest of uint16 and uint32 that holds every id, little-endian."""
    return np.dtype("<u2" if vocab_size <= 1 << 16 else "<u4")

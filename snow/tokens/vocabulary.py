"""What a stored tokenizer says about its tokens: how many ids there are, which bytes each stands for, how to encode plain text."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from snow.errors import SnowError
from snow.tokens import special

FILE, SETTINGS = "tokenizer.json", "tokenizer_config.json"
SPACE = "▁"  # what SentencePiece writes for a space; its names of bytes are <0x00> to <0xFF>
BYTE = re.compile(r"<0x([0-9A-F]{2})>")


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


def end_id(tokenizer: Tokenizer, folder: Path) -> int:
    """The id that ends a document for the model of a folder: <|endoftext|>, else what its settings call the end of a sequence."""
    if (index := tokenizer.token_to_id(special.END)) is not None:
        return index
    settings = folder / SETTINGS
    named = json.loads(settings.read_text()).get("eos_token") if settings.is_file() else None
    index = tokenizer.token_to_id(named["content"] if isinstance(named, dict) else named or "")
    if index is None:
        raise SnowError(f"{folder}: the tokenizer has neither {special.END} nor an eos_token in {SETTINGS}; name one there")
    return index


def start_ids(tokenizer: Tokenizer) -> list[int]:
    """What the tokenizer sets before every text: a token for the beginning of a sequence, or nothing."""
    bare, whole = (tokenizer.encode("a", add_special_tokens=added).ids for added in (False, True))
    return whole[: next(at for at in range(len(whole)) if whole[at : at + len(bare)] == bare)]


def continuing(tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer for text that continues another: without the space that SentencePiece sets before a text and takes away again."""
    plain = json.loads(tokenizer.to_str())
    for kind, several in (("normalizer", "normalizers"), ("pre_tokenizer", "pretokenizers"), ("decoder", "decoders")):
        part: dict[str, Any] = plain[kind] or {"type": "none"}
        inner = part.get(several, [part])
        for one in inner:
            one |= {key: no for key, no in (("prepend_scheme", "never"), ("add_prefix_space", False)) if key in one}
        kept = [one for one in inner if one["type"] not in ("Prepend", "Strip")]
        if several in part:
            part[several] = kept
        elif not kept:
            plain[kind] = None
    fresh = Tokenizer.from_str(json.dumps(plain))
    fresh.encode_special_tokens = True
    return fresh


def is_byte_level(tokenizer: Tokenizer) -> bool:
    """Whether every token is a string over the 256 printable stand-ins of bytes, as in GPT-2, so that its bytes are known."""
    return "ByteLevel" in _decoders(tokenizer)


def _decoders(tokenizer: Tokenizer) -> set[str]:
    decoder = json.loads(tokenizer.to_str())["decoder"] or {}
    return {part["type"] for part in decoder.get("decoders", [decoder]) if "type" in part}


def byte_alphabet() -> dict[str, int]:
    """GPT-2's stand-in character of every byte: printable Latin-1 stands for itself, the other 68 follow from U+0100 on."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + index): byte for index, byte in enumerate(others)}


def token_bytes(tokenizer: Tokenizer) -> list[bytes]:
    """The bytes of text each id stands for, indexed by id; empty for special tokens and gaps. SnowError when they are not known: the
    tokenizer is neither byte-level, as GPT-2's, nor SentencePiece's with tokens for bytes, as Llama 2's and Gemma's."""
    pieces = "ByteFallback" in _decoders(tokenizer)
    if not pieces and not is_byte_level(tokenizer):
        raise SnowError("the tokenizer is not a byte-level BPE, so its tokens' bytes are unknown; choose one like GPT-2's or StarCoder's")
    alphabet = byte_alphabet()
    marks = {index for index, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    table = [b""] * size(tokenizer)
    for token, index in tokenizer.get_vocab(with_added_tokens=True).items():
        if index in marks:
            continue
        if pieces:
            byte = BYTE.fullmatch(token)
            table[index] = bytes.fromhex(byte[1]) if byte else token.replace(SPACE, " ").encode()
        elif all(character in alphabet for character in token):
            table[index] = bytes(alphabet[character] for character in token)
        else:
            table[index] = token.encode()  # an added token that is not special stands for its own text
    return table


def token_dtype(vocab_size: int) -> np.dtype:
    """The narrowest of uint16 and uint32 that holds every id, little-endian."""
    return np.dtype("<u2" if vocab_size <= 1 << 16 else "<u4")

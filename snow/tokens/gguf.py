"""A byte-level BPE tokenizer out of a GGUF model file, which llama.cpp's users have when they have no `tokenizer.json`.

transformers' own conversion drops the digit splitter of StarCoder's family, so its tokens differ from the model's.
"""

from __future__ import annotations

from pathlib import Path

from gguf.gguf_reader import GGUFReader
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from snow.errors import SnowError

CONTROL, USER_DEFINED = 3, 4  # gguf.TokenType
# How text is cut before merging, by `tokenizer.ggml.pre`: with every digit on its own, or by GPT-2's pattern alone
# (llama.cpp, src/llama-vocab.cpp, the regular expressions of these pre-tokenizers).
SINGLE_DIGITS = {"starcoder", "refact", "command-r", "smollm", "codeshell"}
PLAIN = {"gpt-2", "phi-2"}


def read_gguf(path: Path) -> Tokenizer:
    """The tokenizer of a GGUF file. One that is not a byte-level BPE of a known pre-tokenizer is a SnowError."""
    fields = GGUFReader(str(path)).fields
    kind, cut = (fields[key].contents() if key in fields else None for key in ("tokenizer.ggml.model", "tokenizer.ggml.pre"))
    if kind != "gpt2" or cut not in SINGLE_DIGITS | PLAIN:
        raise SnowError(
            f"{path.name} has a {kind} tokenizer with pre-tokenizer {cut}, which is not supported; name a folder with tokenizer.json"
        )
    tokens = fields["tokenizer.ggml.tokens"].contents()
    types = fields["tokenizer.ggml.token_type"].contents()
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"].contents()]
    tokenizer = Tokenizer(models.BPE(vocab={token: index for index, token in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = byte_level(single_digits=cut in SINGLE_DIGITS)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token, kind in zip(tokens, types, strict=True) if kind == CONTROL])
    tokenizer.add_tokens([AddedToken(token) for token, kind in zip(tokens, types, strict=True) if kind == USER_DEFINED])
    return tokenizer


def byte_level(single_digits: bool) -> pre_tokenizers.PreTokenizer:
    """GPT-2's split into words, runs of digits, punctuation and whitespace; StarCoder's also cuts every digit off."""
    words = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), words]) if single_digits else words

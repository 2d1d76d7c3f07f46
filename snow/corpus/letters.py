"""What a word is made of, in any script: `\\w` of Python's re, as in StarCoder2's deduplication, and the marks that belong to letters.

Without marks the words of Indic scripts would fall apart at their vowels, and words that differ in a vowel alone would be equal.
"""

from __future__ import annotations

import re
import unicodedata

_ASCII_WORD = re.compile(r"[A-Za-z_0-9]+")


def is_letter(character: str) -> bool:
    """Whether one character is a letter, digit, underscore or mark."""
    return character.isalnum() or character == "_" or unicodedata.category(character)[0] == "M"


def words(text: str) -> list[str]:
    """The words of a text in order: its maximal runs of letters."""
    if text.isascii():
        return _ASCII_WORD.findall(text)
    return "".join(character if is_letter(character) else " " for character in text).split()

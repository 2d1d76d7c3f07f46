"""HTML and SVG as trees, so that whatever a file name or a model put into a string is text in the page and nothing else."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, tostring

# What neither HTML nor UTF-8 can carry: control characters but tab and newline, lone surrogates, the two non-characters.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_INLINE = frozenset({"a", "th", "td"})  # every other tag ends its line, so that pages can be compared line by line

Child = Element | str | None


def printable(text: str) -> str:
    """The text with what no page can carry replaced by U+FFFD."""
    return _UNPRINTABLE.sub("�", text)


def element(tag: str, *children: Child, **attributes: str | float | None) -> Element:
    """A tag with its children in order, strings as text; a None child or attribute is left out.

    Attribute names lose a trailing underscore and have the others turned into hyphens: `class_`, `stroke_width`. Numbers are
    written with two decimals at most, which is what keeps an SVG small and the same everywhere.
    """
    node = Element(tag)
    for name, value in attributes.items():
        if value is not None:
            node.set(name.rstrip("_").replace("_", "-"), printable(value) if isinstance(value, str) else number(value))
    for child in children:
        if child is None:
            continue
        if isinstance(child, Element):
            if child.tag not in _INLINE:
                child.tail = "\n"
            node.append(child)
        elif len(node):
            node[-1].tail = (node[-1].tail or "") + printable(child)
        else:
            node.text = (node.text or "") + printable(child)
    return node


def number(value: float) -> str:
    """A coordinate: two decimals at most, no trailing zeros, no negative zero."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def document(root: Element) -> str:
    """The whole page as text, doctype first."""
    return "<!DOCTYPE html>\n" + tostring(root, encoding="unicode", method="html") + "\n"

"""How the report writes numbers: one function per kind of quantity, the same in the page, the Markdown and the cards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

NOT_MEASURED = "not measured"
INAPPLICABLE = "–"  # as a value: what the row cannot have, which is different from a fact that no stage recorded


def count(value: float) -> str:
    """Whole things, with thousands separated: 12,345."""
    return f"{value:,.0f}"


def size(value: float) -> str:
    """Bytes in decimal units, three significant digits: 31.2 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(value) < 999.5:
            return f"{value:.0f} B" if unit == "B" else f"{_significant(value)} {unit}"
        value /= 1000
    return f"{_significant(value)} TB"


def short(value: float) -> str:
    """Counts on an axis or in a sentence, decimal units: 1.2M, 400k, 96."""
    for unit in ("", "k", "M"):
        if abs(value) < 999.5:
            return f"{value:g}" if unit == "" else f"{_plain(value)}{unit}"
        value /= 1000
    return f"{_plain(value)}B"


def percent(value: float) -> str:
    """A fraction as a percentage, one decimal; what is there but rounds to nothing says so."""
    return "<0.1%" if 0 < value < 0.0005 else f"{100 * value:.1f}%"


def points(value: float) -> str:
    """A percentage that is already one, as the paper prints them: 28.0."""
    return f"{value:.1f}"


def decimal(value: float) -> str:
    """A measured quantity such as bits per byte: three decimals."""
    return f"{value:.3f}"


def signed(value: float) -> str:
    """A difference, its sign always shown, with a true minus."""
    return "0.000" if round(value, 3) == 0 else f"{value:+.3f}".replace("-", "−")


def power(value: float) -> str:
    """A number whose size is what matters, three digits: 1.65e+13."""
    return f"{value:.2e}"


def general(value: float) -> str:
    """A setting or a rate, as short as it reads: 0.002, 2e-06."""
    return f"{value:.6g}"


def _significant(value: float) -> str:
    return f"{value:.{max(0, 2 - len(str(int(abs(value)))) + 1)}f}" if abs(value) < 999.5 else f"{value:.0f}"


def _plain(value: float) -> str:
    text = _significant(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _digest(value: str) -> str:
    """A hash short enough for a table; tables.json has it whole."""
    return value[:16]


KINDS: Mapping[str, Callable[[Any], str]] = {
    "text": str,
    "code": str,
    "name": str,
    "lines": str,
    "digest": _digest,
    "count": count,
    "bytes": size,
    "fraction": percent,
    "percent": points,
    "decimal": decimal,
    "signed": signed,
    "general": general,
    "power": power,
}


def cell(value: Any, kind: str) -> str:
    """A value as its kind is written; None is a fact that no stage recorded."""
    if value is None:
        return NOT_MEASURED
    return INAPPLICABLE if value == INAPPLICABLE else KINDS[kind](value)

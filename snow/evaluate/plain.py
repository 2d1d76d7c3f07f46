"""Values as plain data: what passes between code under test and what judges it.

A value is JSON where JSON has it, else an object with one key that names its type. Nothing that is decoded can act: types are
Python's own, subclasses are sent as their bases, and what is none of them is sent as the name of its type alone. So an answer
whose `__eq__` says yes to everything arrives without it.
"""

from __future__ import annotations

import json
import sys
from typing import Any

INTEGERS = 1 << 53  # larger ones are sent as hexadecimal digits: Python reads decimal ones in quadratic time, and only 4300
ARRAYS = "biufcSU"  # kinds of NumPy's types that hold no object


class Foreign:
    """A value that is no plain data, by the name of its type. Equal to nothing but itself."""

    def __init__(self, name: str) -> None:
        self.name = name


class Unreadable(ValueError):
    """What came back is no plain data, too deep or not JSON."""


def dumps(values: list[Any]) -> str:
    """A line of JSON without its end. RecursionError for values that hold themselves or are too deep."""
    return json.dumps([encoded(value) for value in values], separators=(",", ":"))


def loads(line: str | bytes) -> list[Any]:
    """The values of a line. Unreadable when it is none that `dumps` makes."""
    try:
        values = json.loads(line)
        if not isinstance(values, list):
            raise Unreadable("no list of values")
        return [decoded(value) for value in values]
    except (ValueError, TypeError, KeyError, RecursionError, MemoryError, OverflowError) as error:
        raise Unreadable(f"{type(error).__name__}") from None


def encoded(value: Any) -> Any:
    """JSON's types for a value. Base classes' own methods are used, never what a subclass makes of them."""
    if value is None or value is True or value is False:
        return value
    kind = type(value)
    if kind is str or kind is float:
        return value
    if kind is int:
        return value if -INTEGERS < value < INTEGERS else {"i": hex(value)}
    if kind is list:
        return [encoded(each) for each in value]
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return encoded(int.__int__(value))
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, complex):
        return {"c": [complex.__getattribute__(value, "real"), complex.__getattribute__(value, "imag")]}
    if isinstance(value, list):
        return [encoded(each) for each in list.__iter__(value)]
    if isinstance(value, tuple):
        return {"t": [encoded(each) for each in tuple.__iter__(value)]}
    if isinstance(value, dict):
        return {"d": [[encoded(key), encoded(each)] for key, each in dict.items(value)]}
    if isinstance(value, set):
        return {"s": [encoded(each) for each in set.__iter__(value)]}
    if isinstance(value, frozenset):
        return {"f": [encoded(each) for each in frozenset.__iter__(value)]}
    if isinstance(value, bytes | bytearray):
        return {"b" if isinstance(value, bytes) else "a": bytes(value).hex()}
    return _numbers(value)


def _numbers(value: Any) -> Any:
    """NumPy's scalars and arrays with their type; anything else by name."""
    numpy = sys.modules.get("numpy")  # a value of NumPy's exists only where it was imported
    if numpy is not None and isinstance(value, numpy.generic | numpy.ndarray) and value.dtype.kind in ARRAYS:
        return {"n": encoded(value.tolist()), "k": value.dtype.str}
    return {"x": str(type(value).__name__)[:100]}


def decoded(value: Any) -> Any:
    """What `encoded` made, as Python's types, arrays as NumPy's."""
    if isinstance(value, list):
        return [decoded(each) for each in value]
    if not isinstance(value, dict):
        return value
    tag = next(iter(value))
    content = value[tag]
    match tag:
        case "i":
            return int(content, 16)
        case "c":
            real, imaginary = content
            return complex(float(real), float(imaginary))
        case "t":
            return tuple(decoded(content))
        case "d":
            return {decoded(key): decoded(each) for key, each in content}
        case "s":
            return set(decoded(content))
        case "f":
            return frozenset(decoded(content))
        case "b":
            return bytes.fromhex(content)
        case "a":
            return bytearray.fromhex(content)
        case "n":
            import numpy

            if value["k"][1:2] not in set(ARRAYS):
                raise Unreadable("an array of objects")
            return numpy.array(decoded(content), dtype=value["k"])[()]
        case "x":
            return Foreign(str(content))
        case _:
            raise Unreadable(f"unknown type {tag!r}")

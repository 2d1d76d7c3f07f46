"""The charts of the report as SVG trees: lines over a numeric axis, horizontal bars, histograms with a mark.

Colours are classes (`c0`...) that the page's style sheet defines for light and dark; every mark carries a <title> with its
numbers, which browsers show on hover and screen readers read. Nothing here is random or depends on the machine.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from snow.report.markup import element, number

WIDTH = 760
CHARACTER = 7.2  # a generous width of one, at 13 pixels
LEFT, RIGHT, TOP, BOTTOM = 52, 24, 58, 44  # margins: tick labels, air, legend and axis label, ticks and axis label
COLOURS, DASHES = 5, (None, "5 4", "2 3", "9 3 2 3")


def colour(place: int) -> int:
    """The colour class of what stands at a place among its like."""
    return place % COLOURS


def dashes(place: int) -> str | None:
    """Other ones each time the colours begin anew."""
    return DASHES[place // COLOURS % len(DASHES)]


@dataclass(frozen=True)
class Line:
    """One curve: points in data units; its `place` among the others decides its colour and dashes; `label` stands in the legend."""

    label: str
    points: Sequence[tuple[float, float]]
    place: int
    dots: bool = False


@dataclass(frozen=True)
class Bar:
    """One horizontal bar: `value` decides its length, `text` is written after it."""

    label: str
    value: float
    text: str
    colour: int = 1


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten apart) from at most `low` to at least `high`; about `wanted` of them."""
    if high <= low:
        high = low + (abs(low) or 1.0)
    raw = (high - low) / max(1, wanted - 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def thin(points: Sequence[tuple[float, float]], most: int = 240) -> list[tuple[float, float]]:
    """At most `most` points: means over equal runs of consecutive points. Long logs stay legible and the page small."""
    if len(points) <= most:
        return list(points)
    edges = [index * len(points) // most for index in range(most + 1)]
    runs = [points[start:end] for start, end in itertools.pairwise(edges)]
    return [(math.fsum(x for x, _ in run) / len(run), math.fsum(y for _, y in run) / len(run)) for run in runs]


def lines(
    curves: Sequence[Line],
    *,
    name: str,
    x_label: str,
    y_label: str,
    x_text: Callable[[float], str],
    y_text: Callable[[float], str],
    zero: bool = False,
    height: float = 300,
) -> Element:
    """Curves over one pair of axes. `zero` starts the vertical axis at zero; otherwise it starts near the lowest value."""
    drawn = [curve for curve in curves if curve.points]
    xs = [0.0, *(x for curve in drawn for x, _ in curve.points)]
    ys = [y for curve in drawn for _, y in curve.points] or [0.0, 1.0]
    x_low, x_high = min(xs), max(max(xs), min(xs) + 1e-9)  # from zero
    y_ticks = ticks(0.0 if zero else min(ys), max(ys))
    y_low, y_high = y_ticks[0], max(max(ys), y_ticks[1])
    legend, top = _legend(drawn)
    height += top - TOP
    right, bottom = WIDTH - RIGHT, height - BOTTOM

    def at(x: float, y: float) -> tuple[float, float]:
        return LEFT + (x - x_low) / (x_high - x_low) * (right - LEFT), bottom - (y - y_low) / (y_high - y_low) * (bottom - top)

    parts: list[Element] = []
    for value in (tick for tick in y_ticks if tick <= y_high):
        _, y = at(x_low, value)
        parts.append(element("line", class_="rule", x1=LEFT, x2=right, y1=y, y2=y))
        parts.append(element("text", y_text(value), class_="tick", x=LEFT - 8, y=y + 4, text_anchor="end"))
    for value in (tick for tick in ticks(x_low, x_high, 6) if x_low <= tick <= x_high):
        x, _ = at(value, y_low)
        parts.append(element("line", class_="axis", x1=x, x2=x, y1=bottom, y2=bottom + 4))
        parts.append(element("text", x_text(value), class_="tick", x=x, y=bottom + 18, text_anchor="middle"))
    parts.append(element("line", class_="axis", x1=LEFT, x2=right, y1=bottom, y2=bottom))
    parts.append(element("text", x_label, class_="label", x=(LEFT + right) / 2, y=height - 6, text_anchor="middle"))
    parts.append(element("text", y_label, class_="label", x=0, y=top - 14))
    for curve in drawn:
        parts.extend(_curve(curve, [at(x, y) for x, y in curve.points], x_text, y_text))
    return _figure(name, height, [*parts, *legend])


def _legend(drawn: Sequence[Line]) -> tuple[list[Element], float]:
    """Above the chart, over as many lines as it takes; and where the chart begins."""
    parts: list[Element] = []
    x, y = 0.0, 12
    for curve in drawn:
        wide = 28 + CHARACTER * len(curve.label)
        if x and x + wide > WIDTH:
            x, y = 0.0, y + 20
        shade, dash = f"line c{colour(curve.place)}", dashes(curve.place)
        parts.append(element("line", class_=shade, x1=x, x2=x + 22, y1=y, y2=y, stroke_dasharray=dash))
        parts.append(element("text", curve.label, class_="value", x=x + 28, y=y + 4))
        x += wide + 22
    return parts, TOP + y - 12


def _curve(
    curve: Line, places: Sequence[tuple[float, float]], x_text: Callable[[float], str], y_text: Callable[[float], str]
) -> list[Element]:
    path = " ".join(f"{'M' if index == 0 else 'L'}{number(x)} {number(y)}" for index, (x, y) in enumerate(places))
    titles = [element("title", f"{curve.label}: {y_text(y)} at {x_text(x)}") for x, y in curve.points]
    line = element("path", titles[-1], class_=f"line c{colour(curve.place)}", d=path, stroke_dasharray=dashes(curve.place))
    if not curve.dots and len(places) > 1:
        return [line]
    dots = zip(titles, places, strict=True)
    return [line, *(element("circle", title, class_=f"dot f{colour(curve.place)}", cx=x, cy=y, r=3) for title, (x, y) in dots)]


def bars(rows: Sequence[Bar], *, name: str, longest: float | None = None, width: int = WIDTH) -> Element:
    """Horizontal bars from zero, one per row, in the order given; `longest` is the value of a bar over the full width."""
    pitch, thickness = 30, 18
    label_width = CHARACTER * max((len(row.label) for row in rows), default=0) + 14
    text_width = CHARACTER * max((len(row.text) for row in rows), default=0) + 12
    highest = longest or max((row.value for row in rows), default=0) or 1
    room = max(width - label_width - text_width, 60)
    parts: list[Element] = []
    for index, row in enumerate(rows):
        y = index * pitch + 6
        length = max(row.value / highest * room, 1.5 if row.value else 0)
        parts.append(element("text", row.label, class_="name", x=label_width - 10, y=y + 14, text_anchor="end"))
        title, shade = element("title", f"{row.label}: {row.text}"), f"f{row.colour}"
        parts.append(element("rect", title, class_=shade, x=label_width, y=y, width=length, height=thickness, rx=2))
        parts.append(element("text", row.text, class_="value", x=label_width + length + 8, y=y + 14))
    return _figure(name, len(rows) * pitch + 10, parts, width)


def histogram(counts: Sequence[int], low: float, high: float, *, name: str, mark: float | None, text: Callable[[float], str]) -> Element:
    """Counts in equal bins from low to high; bins at or above `mark` stand out and the mark is labelled. Small: for grids."""
    width, height, left, bottom, top = 240, 118, 6, 98, 18
    room, most, step = width - 2 * left, max(counts, default=0) or 1, (high - low) / max(1, len(counts))
    parts: list[Element] = []
    for index, value in enumerate(counts):
        start = low + index * step
        tall = max(value / most * (bottom - top), 1.0 if value else 0.0)
        shade = "f1" if mark is not None and start + step > mark else "f0"
        title = element("title", f"{text(start)} to {text(start + step)}: {value:,}")
        x, wide = left + index * room / len(counts), max(room / len(counts) - 1, 0.5)
        parts.append(element("rect", title, class_=shade, x=x, y=bottom - tall, width=wide, height=tall))
    parts.append(element("line", class_="axis", x1=left, x2=width - left, y1=bottom, y2=bottom))
    parts.append(element("text", text(low), class_="tick", x=left, y=bottom + 15))
    parts.append(element("text", text(high), class_="tick", x=width - left, y=bottom + 15, text_anchor="end"))
    if mark is not None:
        x = left + (min(max(mark, low), high) - low) / ((high - low) or 1) * room
        parts.append(element("line", class_="mark", x1=x, x2=x, y1=top - 4, y2=bottom))
        x, anchor = (x - 4, "end") if x > width * 0.6 else (x + 4, "start")
        parts.append(element("text", f"selected from {text(mark)}", class_="tick", x=x, y=top - 6, text_anchor=anchor))
    return _figure(name, height, parts, width)


def _figure(name: str, height: float, parts: Sequence[Element], width: float = WIDTH) -> Element:
    box = f"0 0 {number(width)} {number(height)}"
    return element("svg", element("title", name), *parts, viewBox=box, role="img", xmlns="http://www.w3.org/2000/svg")

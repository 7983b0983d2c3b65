"""Static pages: the head, style, sections, tables and plots that all reports share. No server, no network.

Whatever is not ``Html`` is escaped on its way in, so that prompts and file names cannot become markup.
"""

import html
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

ROW = 22  # height of a line of a plot, pixels
# Per cent of a plot's width: plots stretch with the page, their text does not.
NAMES = 30
LEFT, RIGHT = 33, 87  # of the axis; the figures stand on its right


class Html(str):
    """Markup, to be taken as it is."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A line of ``interval_plot``: an estimate, and how sure it is."""

    name: str
    low: float
    value: float
    high: float


def escape(value: Any) -> Html:
    """A value as markup: text is escaped, ``Html`` is not, None is nothing."""
    return value if isinstance(value, Html) else Html(html.escape("" if value is None else str(value)))


def join(parts: Iterable[Any]) -> Html:
    """Several values as markup, one after the other."""
    return Html("".join(map(escape, parts)))


def page(title: str, sections: Iterable[Html], scripts: Iterable[Html] = ()) -> str:
    """A whole document: one file that needs no other.

    Args:
        title: plain text, the heading too.
        sections: of ``section``.
        scripts: of ``script`` and ``data``, at the end of the body.
    """
    return join(
        [
            Html('<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'),
            Html('<meta name="viewport" content="width=device-width, initial-scale=1">\n'),
            Html('<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'),
            Html(f"<title>{escape(title)}</title>\n<style>\n{asset('page.css')}</style>\n</head>\n<body>\n"),
            Html(f"<header><h1>{escape(title)}</h1></header>\n<main>\n"),
            *sections,
            Html("</main>\n"),
            *scripts,
            Html("</body>\n</html>\n"),
        ]
    )


def section(heading: str, *parts: Any, name: str = "", folded: bool = False) -> Html:
    """A part of a page under a heading.

    Args:
        heading: plain text.
        parts: markup, or text.
        name: of the anchor.
        folded: whether the reader has to open it.
    """
    anchor = f' id="{escape(name)}"' if name else ""
    if folded:
        head = f"<details><summary><h2>{escape(heading)}</h2></summary>"
        return Html(f"<section{anchor}>{head}\n{join(parts)}</details></section>\n")
    return Html(f"<section{anchor}><h2>{escape(heading)}</h2>\n{join(parts)}</section>\n")


def paragraph(*parts: Any, kind: str = "") -> Html:
    """A paragraph; ``kind`` may be ``note`` or ``warning``."""
    return Html(f"<p{_class(kind)}>{join(parts)}</p>\n")


def tiles(pairs: Iterable[tuple[str, Any]]) -> Html:
    """A few large figures with their names beneath."""
    return Html(
        '<dl class="tiles">'
        + "".join(f"<div><dd>{escape(value)}</dd><dt>{escape(name)}</dt></div>" for name, value in pairs)
        + "</dl>\n"
    )


def facts(pairs: Iterable[tuple[str, Any]]) -> Html:
    """Names and their values, a line each."""
    lines = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in pairs)
    return Html(f'<dl class="facts">{lines}</dl>\n')


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], text: Iterable[int] = (0,)) -> Html:
    """A table that scrolls by itself where it is wider than the page.

    Args:
        columns: the header, plain text.
        rows: as many cells each; text, or ``Html``.
        text: the columns that hold text, on the left; the others hold figures, on the right.
    """
    on_left = set(text)

    def line(tag: str, cells: Sequence[Any]) -> str:
        kinds = [_class("" if i in on_left else "figure") for i in range(len(cells))]
        return "<tr>" + "".join(f"<{tag}{k}>{escape(c)}</{tag}>" for k, c in zip(kinds, cells, strict=True)) + "</tr>\n"

    body = "".join(line("td", row) for row in rows)
    return Html(
        f'<div class="scroll"><table><thead>{line("th", columns)}</thead>\n<tbody>{body}</tbody></table></div>\n'
    )


def interval_plot(
    rows: Sequence[Interval],
    *,
    low: float | None = None,
    high: float | None = None,
    reference: float | None = None,
    digits: int = 2,
) -> Html:
    """Estimates as dots with a line from low to high, one below the other, as inline SVG.

    Args:
        rows: from the top; at least one.
        low: left end of the axis; None: below the lowest of all.
        high: right end; None: above the highest of all.
        reference: where a vertical line stands, as chance does.
        digits: of the values, after the point.
    """
    ends = [value for row in rows for value in (row.low, row.high)] + ([] if reference is None else [reference])
    axis = _axis(min(ends), max(ends), low, high)
    marks = [] if reference is None else [_vertical(axis.at(reference), len(rows), "reference")]
    for i, row in enumerate(rows):
        y = i * ROW + ROW / 2
        marks.append(_labels(row.name, f"{row.value:.{digits}f}", i))
        marks.append(f'<line class="range" x1="{axis.at(row.low)}" x2="{axis.at(row.high)}" y1="{y}" y2="{y}"/>')
        marks.append(f'<circle cx="{axis.at(row.value)}" cy="{y}" r="4"/>')
    told = [f"{row.name}: {row.value:.{digits}f}, {row.low:.{digits}f} to {row.high:.{digits}f}" for row in rows]
    return _plot(marks, axis, told)


def bar_plot(rows: Sequence[tuple[str, float]], *, high: float | None = None, digits: int = 2) -> Html:
    """Amounts from 0 upwards as bars, one below the other, as inline SVG.

    Args:
        rows: names and amounts from the top; at least one.
        high: right end of the axis; None: above the highest of all.
        digits: of the amounts, after the point.
    """
    axis = _axis(0.0, max(value for _, value in rows), 0.0, high)
    marks = []
    for i, (name, value) in enumerate(rows):
        width = f"{axis.share(value) * (RIGHT - LEFT):.2f}%"
        marks.append(_labels(name, f"{value:.{digits}f}", i))
        marks.append(f'<rect x="{LEFT}%" y="{i * ROW + 5}" width="{width}" height="{ROW - 10}" rx="2"/>')
    return _plot(marks, axis, [f"{name}: {value:.{digits}f}" for name, value in rows])


def data(kind: str, value: Any) -> Html:
    """A JSON value that the page's script finds by its kind: ``script[data-kind=...]``."""
    return Html(f'<script type="application/json" data-kind="{escape(kind)}">{dumps_for_script(value)}</script>\n')


def dumps_for_script(value: Any) -> str:
    """Compact JSON that can stand within a script element, whatever is in its texts."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # "</script" and "<!--" would end or change the element; U+2028 and U+2029 end a line of JavaScript.
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def script(name: str) -> Html:
    """A script of this package, inline."""
    return Html(f"<script>\n{asset(name)}</script>\n")


def asset(name: str) -> str:
    """The text of a style or script of this package."""
    return files(__package__).joinpath("web", name).read_text(encoding="utf-8")


@dataclass(frozen=True)
class _Axis:
    low: float
    high: float
    ticks: tuple[float, ...]

    def share(self, value: float) -> float:
        """How far along the axis a value is, 0..1; one beyond an end stands at that end."""
        return min(max((value - self.low) / ((self.high - self.low) or 1.0), 0.0), 1.0)

    def at(self, value: float) -> str:
        """The x of a value."""
        return f"{LEFT + self.share(value) * (RIGHT - LEFT):.2f}%"


def _axis(lowest: float, highest: float, low: float | None, high: float | None) -> _Axis:
    """An axis that holds the values, with ticks at round numbers; an end that is not given is one of them."""
    start, end = lowest if low is None else low, highest if high is None else high
    rough = ((end - start) or abs(end) or 1.0) / 4
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    first = math.floor(start / step + 1e-9) if low is None else math.ceil(start / step - 1e-9)
    last = math.ceil(end / step - 1e-9) if high is None else math.floor(end / step + 1e-9)
    ticks = tuple(i * step for i in range(first, last + 1))
    return _Axis(ticks[0] if low is None else low, ticks[-1] if high is None else high, ticks)


def _plot(marks: Iterable[str], axis: _Axis, told: Sequence[str]) -> Html:
    rows = len(told)
    base = rows * ROW
    labels = "".join(
        _vertical(axis.at(tick), rows, "tick")
        + f'<text class="axis" x="{axis.at(tick)}" y="{base + 15}" text-anchor="middle">{tick:.4g}</text>'
        for tick in axis.ticks
    )
    return Html(
        f'<svg class="plot" height="{base + 22}" role="img" aria-label="{escape("; ".join(told))}">'
        f"{labels}{''.join(marks)}</svg>\n"
    )


def _vertical(x: str, rows: int, kind: str) -> str:
    return f'<line class="{kind}" x1="{x}" x2="{x}" y1="0" y2="{rows * ROW}"/>'


def _labels(name: str, value: str, row: int) -> str:
    # An svg of its own cuts off what is too long of the name.
    return (
        f'<svg y="{row * ROW}" width="{NAMES}%" height="{ROW}"><title>{escape(name)}</title>'
        f'<text y="{ROW / 2 + 4}">{escape(name)}</text></svg>'
        f'<text x="100%" y="{row * ROW + ROW / 2 + 4}" text-anchor="end">{value}</text>'
    )


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""

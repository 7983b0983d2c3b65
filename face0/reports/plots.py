"""Plots as inline SVG, a line for each name: estimates with their intervals, and amounts as bars."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from face0.reports.pages import render

# Per cent of a plot's width: plots stretch with the page, their text does not.
LEFT, RIGHT = 33, 87  # of the axis; names stand on its left, figures on its right


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A line of ``interval_plot``: an estimate, and how sure it is.

    Attributes:
        name: what stands on its left.
        low: low end of its interval.
        value: the estimate.
        high: high end.
    """

    name: str
    low: float
    value: float
    high: float


def interval_plot(
    rows: Sequence[Interval],
    *,
    low: float | None = None,
    high: float | None = None,
    reference: float | None = None,
    digits: int = 2,
) -> Markup:
    """Estimates as dots with a line from low to high, one below the other; nothing, if there are none.

    Args:
        rows: from the top.
        low: left end of the axis; None: below the lowest of all.
        high: right end; None: above the highest of all.
        reference: where a vertical line stands, as chance does.
        digits: of the values, after the point.
    """
    if not rows:
        return Markup()
    ends = [value for row in rows for value in (row.low, row.high)] + ([] if reference is None else [reference])
    axis = _axis(min(ends), max(ends), low, high)
    return render("plots/intervals.html", rows=rows, axis=axis, reference=reference, digits=digits)


def bar_plot(rows: Sequence[tuple[str, float]], *, high: float | None = None, digits: int = 2) -> Markup:
    """Amounts from 0 upwards as bars, one below the other; nothing, if there are none.

    Args:
        rows: names and amounts from the top.
        high: right end of the axis; None: above the highest of all.
        digits: of the amounts, after the point.
    """
    if not rows:
        return Markup()
    axis = _axis(0.0, max(value for _, value in rows), 0.0, high)
    return render("plots/bars.html", rows=rows, axis=axis, digits=digits)


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

    def width(self, value: float) -> str:
        """The width of a bar from the left end to a value."""
        return f"{self.share(value) * (RIGHT - LEFT):.2f}%"


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

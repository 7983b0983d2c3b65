"""Plots as inline SVG, a line for each name: estimates with their intervals, and amounts as bars."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from face0.reports.axes import Axis, round_axis
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


class _Across(Axis):
    """An axis as it lies in a plot."""

    def at(self, value: float) -> str:
        """The x of a value."""
        return f"{LEFT + self.share(value) * (RIGHT - LEFT):.2f}%"

    def width(self, value: float) -> str:
        """The width of a bar from the left end to a value."""
        return f"{self.share(value) * (RIGHT - LEFT):.2f}%"


def _axis(lowest: float, highest: float, low: float | None, high: float | None) -> _Across:
    axis = round_axis(lowest, highest, low, high)
    return _Across(axis.low, axis.high, axis.ticks)

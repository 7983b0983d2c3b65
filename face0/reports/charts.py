"""Charts with two axes as inline SVG: distributions, curves, and amounts over time; each with its figures as a table.

What a chart shows is in its ``title`` and ``desc`` too, for those who do not see it. Kinds of line and shade tell
series apart where colours do not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from face0.reports.axes import Axis, round_axis
from face0.reports.pages import render
from face0.reports.plots import Interval

BINS = 24  # of a distribution
POINTS = 300  # of a curve; of more, as many means are drawn
ROWS = 24  # of a curve's table
LEVELS = "0.05", "0.25", "0.5", "0.75", "0.95"  # of a strip
SIDE = 1000  # of the square, stretched to the chart, in which shapes are drawn


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A line of ``curve_chart``.

    Attributes:
        name: in the legend.
        x: ascending, float [n].
        y: float [n].
    """

    name: str
    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A panel of ``forest``.

    Attributes:
        title: of what it shows.
        rows: from the top.
        reference: where a vertical line stands, as chance does; None: nowhere.
    """

    title: str
    rows: Sequence[Interval]
    reference: float | None = None


def histogram(
    title: str, values: np.ndarray, *, low: float | None = None, high: float | None = None, whole: bool = False
) -> Markup:
    """The distribution of some values; nothing, if there are none.

    Args:
        title: what they are, with their unit.
        values: finite, float [n]. Those beyond an end are counted in the last bin there.
        low: left end of the axis; None: below the lowest.
        high: right end; None: above the highest.
        whole: whether they are whole numbers, which share no bin with their neighbours where there are few of them.
    """
    if not len(values):
        return Markup()
    edges = _edges(values, low, high, whole)
    counts = _counted(values, edges)
    up = round_axis(0, float(counts.max()), 0.0)
    across = round_axis(edges[0], edges[-1], edges[0], edges[-1])
    if whole:
        across = Axis(across.low, across.high, tuple(tick for tick in across.ticks if tick == int(tick)))
    bars = _bars(counts / up.high, edges, across)
    rows = [(_between(edges, i, whole), int(count)) for i, count in enumerate(counts)]
    return render(
        "charts/histogram.html", title=title, about=_described(values), across=across, up=up, bars=bars, rows=rows
    )


def histograms(
    title: str, rows: Mapping[str, np.ndarray], *, low: float | None = None, high: float | None = None
) -> Markup:
    """Distributions of several groups on one axis, one below the other, each as high as its fullest bin.

    Args:
        title: what the values are.
        rows: name and values (finite, float [n]) of each group, from the top; those without values are left out.
        low: left end of the axis; None: below the lowest of all.
        high: right end; None: above the highest of all.
    """
    present = {name: values for name, values in rows.items() if len(values)}
    if not present:
        return Markup()
    edges = _edges(np.concatenate([*present.values()]), low, high, whole=False)
    across = round_axis(edges[0], edges[-1], edges[0], edges[-1])
    lines = []
    for name, values in present.items():
        counts = _counted(values, edges)
        median = float(np.median(values))
        lines.append(
            {
                "name": name,
                "bars": _bars(counts / counts.max(), edges, across),
                "median": across.share(median),
                "count": len(values),
                "quantiles": np.quantile(values, (0.05, 0.25, 0.5, 0.75, 0.95)).tolist(),
            }
        )
    return render("charts/histograms.html", title=title, lines=lines, across=across)


def strips(title: str, rows: Mapping[str, Mapping[str, float]]) -> Markup:
    """Distributions of which quantiles are known, one below the other: the middle 90 %, the middle half, the median.

    Args:
        title: what the values are.
        rows: name, and value by level ("0.05", "0.25", "0.5", "0.75", "0.95"), of each from the top; those without
            values are left out.
    """
    known = {name: [levels[level] for level in LEVELS] for name, levels in rows.items() if levels}
    if not known:
        return Markup()
    across = round_axis(min(values[0] for values in known.values()), max(values[-1] for values in known.values()))
    lines = [
        {"name": name, "quantiles": values, "at": [across.share(value) for value in values]}
        for name, values in known.items()
    ]
    return render("charts/strips.html", title=title, lines=lines, across=across)


def forest(panels: Sequence[Panel]) -> Markup:
    """Estimates with their intervals in panels beside each other, each with an axis of its own: a forest plot.

    Those without an estimate are left out.
    """
    drawn = []
    for panel in panels:
        if not panel.rows:
            continue
        ends = [value for row in panel.rows for value in (row.low, row.value, row.high)]
        across = round_axis(*(extreme([*ends, *_given(panel.reference)]) for extreme in (min, max)))
        lines = [
            {"row": row, "at": [across.share(value) for value in (row.low, row.value, row.high)]} for row in panel.rows
        ]
        at = None if panel.reference is None else across.share(panel.reference)
        drawn.append({"panel": panel, "across": across, "lines": lines, "reference": at})
    return render("charts/forest.html", panels=drawn) if drawn else Markup()


def curve_chart(title: str, curves: Sequence[Curve], x_name: str, *, low: float | None = None) -> Markup:
    """Curves over one axis. Of more than POINTS values means of neighbours are drawn, with their range behind them.

    Args:
        title: what they are, with their unit.
        curves: those without a finite value are left out.
        x_name: what the axis is.
        low: lower end of the upright axis; None: below the lowest value.
    """
    finite = [_finite(curve) for curve in curves]
    finite = [curve for curve in finite if len(curve.x)]
    if not finite:
        return Markup()
    across = _exact(min(curve.x[0] for curve in finite), max(curve.x[-1] for curve in finite))
    up = round_axis(min(curve.y.min() for curve in finite), max(curve.y.max() for curve in finite), low)
    lines = [_line(curve, across, up) for curve in finite]
    return render("charts/curves.html", title=title, x_name=x_name, lines=lines, across=across, up=up)


def stack_chart(
    title: str,
    series: Mapping[str, np.ndarray],
    edges: np.ndarray,
    x_name: str,
    breaks: Sequence[float] = (),
) -> Markup:
    """Amounts over time, each on top of the one before; nothing, if all are 0.

    Args:
        title: what they are, with their unit.
        series: name and amount in each stretch, float [n], from below; the colours stand for their places, which are
            four, and one that is 0 throughout keeps its own.
        edges: of the stretches, ascending, float [n + 1].
        x_name: what the axis is.
        breaks: where time was left out.
    """
    tops = np.cumsum([*series.values()], axis=0)
    if not tops.size or not tops.max():
        return Markup()
    across, up = _exact(edges[0], edges[-1]), round_axis(0, float(tops.max()), 0.0)
    bottoms = np.vstack([np.zeros(tops.shape[1]), tops[:-1]])
    layers = [
        {"name": name, "place": place, "path": _area(edges, tops[place], bottoms[place], across, up)}
        for place, (name, values) in enumerate(series.items())
        if values.any()
    ]
    widths = np.diff(edges)
    rows = [
        (f"{_figure(edges[i])} to {_figure(edges[i + 1])}", *(float(values[i]) for values in series.values()))
        for i in range(len(widths))
    ]
    means = {name: float(values @ widths / widths.sum()) for name, values in series.items()}
    return render(
        "charts/stack.html",
        title=title,
        x_name=x_name,
        layers=layers,
        means=means,
        rows=rows,
        across=across,
        up=up,
        breaks=breaks,
    )


def _given(value: float | None) -> list[float]:
    return [] if value is None else [value]


def _edges(values: np.ndarray, low: float | None, high: float | None, whole: bool) -> np.ndarray:
    """The edges of bins; those of few whole numbers lie half-way between them."""
    least, most = (values.min() if low is None else low), (values.max() if high is None else high)
    if whole and most - least < BINS:
        return np.arange(int(least), int(most) + 2) - 0.5
    axis = round_axis(float(least), float(most), low, high)
    if whole:
        width = max(1, round((axis.high - axis.low) / BINS))
        return axis.low + width * np.arange(-(-(axis.high - axis.low) // width) + 1)
    return np.linspace(axis.low, axis.high, BINS + 1)


def _counted(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0]


def _bars(shares: np.ndarray, edges: np.ndarray, across: Axis) -> list[tuple[float, float, float, float]]:
    """x, y, width and height of a bar for each bin that is not empty, within the square; y is downwards."""
    lefts = [SIDE * across.share(edge) for edge in edges]
    return [
        (lefts[i], SIDE * (1 - share), lefts[i + 1] - lefts[i], SIDE * share) for i, share in enumerate(shares) if share
    ]


def _between(edges: np.ndarray, place: int, whole: bool) -> str:
    """A bin in words."""
    if whole and edges[0] % 1:
        return f"{edges[place] + 0.5:,.0f}"
    last = edges[place + 1] - (whole and place + 2 < len(edges))
    return _figure(edges[place]) if whole and last == edges[place] else f"{_figure(edges[place])} to {_figure(last)}"


def _described(values: np.ndarray) -> str:
    low, median, high = np.quantile(values, (0.05, 0.5, 0.95))
    return f"{len(values):,} values: median {_figure(median)}, the middle 90 % {_figure(low)} to {_figure(high)}"


def _exact(low: float, high: float) -> Axis:
    """An axis that ends where its values do."""
    return round_axis(low, high, low, high if high > low else low + 1.0)


def _finite(curve: Curve) -> Curve:
    usable = np.isfinite(curve.x) & np.isfinite(curve.y)
    return Curve(name=curve.name, x=curve.x[usable], y=curve.y[usable])


def _line(curve: Curve, across: Axis, up: Axis) -> dict[str, object]:
    means, lows, highs = _thinned(curve, POINTS)
    points = _points(means.x, means.y, across, up)
    behind = [*_points(means.x, highs, across, up), *reversed(_points(means.x, lows, across, up))]
    at_least, at_most = int(curve.y.argmin()), int(curve.y.argmax())
    rows, _, _ = _thinned(curve, ROWS)
    return {
        "name": curve.name,
        "path": _path(points),
        "range": f"{_path(behind)}Z" if len(means.x) < len(curve.x) else "",
        "points": [(x / SIDE, y / SIDE) for x, y in points] if len(points) <= ROWS else [],
        "first": curve.y[0],
        "last": curve.y[-1],
        "least": (curve.y[at_least], curve.x[at_least]),
        "most": (curve.y[at_most], curve.x[at_most]),
        "rows": list(zip(map(_figure, rows.x), rows.y.tolist(), strict=True)),
    }


def _thinned(curve: Curve, most: int) -> tuple[Curve, np.ndarray, np.ndarray]:
    """Means of so many stretches of a curve, with the least and the most in each; the curve itself if it is short."""
    starts = np.unique(np.linspace(0, len(curve.x), min(most, len(curve.x)), endpoint=False).astype(int))
    sizes = np.diff([*starts, len(curve.x)])
    means = Curve(
        name=curve.name, x=np.add.reduceat(curve.x, starts) / sizes, y=np.add.reduceat(curve.y, starts) / sizes
    )
    return means, np.minimum.reduceat(curve.y, starts), np.maximum.reduceat(curve.y, starts)


def _area(edges: np.ndarray, tops: np.ndarray, bottoms: np.ndarray, across: Axis, up: Axis) -> str:
    x = np.repeat(edges, 2)[1:-1]
    above, below = (_points(x, np.repeat(values, 2), across, up) for values in (tops, bottoms))
    return f"{_path([*above, *reversed(below)])}Z"


def _points(x: np.ndarray, y: np.ndarray, across: Axis, up: Axis) -> list[tuple[float, float]]:
    return [
        (SIDE * across.share(one), SIDE * (1 - up.share(other)))
        for one, other in zip(x.tolist(), y.tolist(), strict=True)
    ]


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _figure(value: float) -> str:
    return f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"

"""Plots: where things stand on the axis, and names that cannot become markup."""

import re

from face0.reports.plots import Interval, bar_plot, interval_plot

EVIL = "</title><script>alert(1)</script>\" onload='"


def test_intervals_stand_where_their_values_are():
    plot = interval_plot([Interval(name="x", low=0.25, value=0.5, high=0.75)], low=0, high=1, reference=0.5)
    assert re.findall(r'<circle cx="([0-9.]+)%"', plot) == ["60.00"]  # the middle of an axis from 33 % to 87 %
    assert re.findall(r'"reference" x1="([0-9.]+)%" x2="([0-9.]+)%"', plot) == [("60.00", "60.00")]
    assert re.findall(r'"range" x1="([0-9.]+)%" x2="([0-9.]+)%"', plot) == [("46.50", "73.50")]
    assert [float(tick) for tick in re.findall(r'class="axis"[^>]*>([^<]*)<', plot)] == [0, 0.25, 0.5, 0.75, 1]
    assert 'aria-label="x: 0.50, 0.25 to 0.75"' in plot


def test_what_lies_beyond_an_end_stands_at_that_end():
    plot = interval_plot([Interval(name="x", low=-3, value=0.5, high=7)], low=0, high=1)
    assert re.findall(r'"range" x1="([0-9.]+)%" x2="([0-9.]+)%"', plot) == [("33.00", "87.00")]


def test_bars_are_as_long_as_their_amounts():
    bars = bar_plot([("a", 0.3), ("b", 0.6)])
    assert re.findall(r'<rect [^>]*width="([0-9.]+)%"', bars) == ["27.00", "54.00"]
    assert re.findall(r'<rect [^>]*y="([0-9]+)"', bars) == ["5", "27"]


def test_a_plot_of_one_value_has_an_axis():
    assert "<circle" in interval_plot([Interval(name="x", low=0.5, value=0.5, high=0.5)])
    assert "<rect" in bar_plot([("x", 0.0)])


def test_nothing_to_plot_is_no_plot():
    assert not interval_plot([])
    assert not bar_plot([])


def test_names_cannot_become_markup():
    for plot in (interval_plot([Interval(name=EVIL, low=0, value=0.5, high=1)]), bar_plot([(EVIL, 0.5)])):
        assert "<script" not in plot
        assert not re.search(r"""["']\s*onload""", plot)
        assert plot.count("&lt;script&gt;") == 3  # in the label for screen readers, the full name, the name shown

"""Charts: what stands where, what is told to those who do not see it, and names that cannot become markup."""

import re

import numpy as np

from face0.reports.charts import (
    BINS,
    POINTS,
    Curve,
    Panel,
    curve_chart,
    forest,
    histogram,
    histograms,
    stack_chart,
    strips,
)
from face0.reports.plots import Interval

EVIL = "</title><script>alert(1)</script>\" onload='"


def rectangles(chart: str) -> list[tuple[float, ...]]:
    found = re.findall(r'<rect x="([0-9.]+)" y="([0-9.]+)" width="([0-9.]+)" height="([0-9.]+)"', chart)
    return [tuple(map(float, numbers)) for numbers in found]


def cells(chart: str) -> list[str]:
    return re.findall(r"<td[^>]*>([^<]*)</td>", chart)


def test_a_bar_is_as_high_as_its_bin_is_full():
    chart = histogram("Score", np.array([0.0, 0.01, 0.02, 1.0]), low=0.0, high=1.0)
    assert rectangles(chart) == [(0, 0, 41.7, 1000), (958.3, 666.7, 41.7, 333.3)]  # of an axis to 3
    assert cells(chart)[1::2] == ["3", *["0"] * (BINS - 2), "1"]
    assert "<title>Score</title><desc>4 values: median 0.015, the middle 90 % 0.0015 to 0.853</desc>" in chart


def test_few_whole_numbers_have_a_bin_each():
    chart = histogram("Faces", np.array([1, 1, 2, 5]), whole=True)
    assert cells(chart) == ["1", "2", "2", "1", "3", "0", "4", "0", "5", "1"]
    ticks = re.findall(r'text-anchor="middle">([^<]*)<', chart)
    assert set(ticks) <= set("12345")


def test_many_whole_numbers_share_bins_and_none_is_lost():
    values = np.arange(1000)
    counts = [int(cell.replace(",", "")) for cell in cells(histogram("Characters", values, whole=True))[1::2]]
    assert sum(counts) == 1000
    assert len(counts) <= 2 * BINS


def test_values_beyond_an_end_count_in_the_last_bin():
    assert cells(histogram("x", np.array([-5.0, 0.5, 9.0]), low=0.0, high=1.0))[1::2][:: BINS - 1] == ["1", "1"]


def test_all_values_alike_are_a_distribution_too():
    for whole in (False, True):
        assert "<rect" in histogram("x", np.full(3, 7.0), whole=whole)
    assert "<rect" in histogram("x", np.zeros(3), low=0.0)


def test_distributions_of_groups_share_an_axis():
    chart = histograms(
        "Similarity", {"a": np.array([0.0, 0.0, 1.0]), "nobody": np.zeros(0), "b": np.array([1.0])}, low=0, high=1
    )
    assert [bar[0] for bar in rectangles(chart)] == [0, 958.3, 958.3]
    assert "nobody" not in chart
    assert "a: median 0.000, the middle 90 % 0.000 to 0.900; b: median 1.000" in chart


def test_a_strip_is_of_known_quantiles():
    levels = dict(zip(("0.05", "0.25", "0.5", "0.75", "0.95"), (0.0, 0.25, 0.5, 0.75, 1.0), strict=True))
    chart = strips("Similarity", {"a": levels, "nothing": {}})
    assert re.findall(r'class="s0 thick" x1="([0-9.]+)%" x2="([0-9.]+)%"', chart) == [("25.00", "75.00")]
    assert "nothing" not in chart


def test_a_forest_has_a_panel_for_each_measure_with_its_own_axis():
    rows = [Interval(name="arm", low=0.2, value=0.4, high=0.6)]
    chart = forest([Panel(title="Leakage", rows=rows, reference=0.2), Panel(title="Empty", rows=[])])
    assert "Empty" not in chart
    assert "<title>Leakage</title><desc>arm: 0.400, 0.200 to 0.600" in chart
    assert re.findall(r'<circle class="s0 mark" cx="([0-9.]+)%"', chart) == ["50.00"]
    assert 'class="break" x1="0.00%"' in chart


def test_a_curve_goes_through_its_points():
    chart = curve_chart(
        "Loss", [Curve(name="loss", x=np.array([0.0, 5, 10]), y=np.array([2.0, np.nan, 1.0]))], "step", low=0.0
    )
    assert 'd="M0.0 0.0L1000.0 500.0"' in chart
    assert "loss: 2 at first, 1 at last, least 1 at step 10, most 2 at step 0" in chart
    assert 'class="legend"' not in chart


def test_a_long_curve_is_drawn_of_means_with_their_range():
    steps = np.arange(10_000.0)
    chart = curve_chart("Loss", [Curve(name="loss", x=steps, y=np.sin(steps))], "step")
    (path,) = re.findall(r'curve" d="([^"]*)"', chart)
    assert path.count("L") == POINTS - 1
    assert 'range" d="' in chart
    assert len(chart) < 40_000


def test_amounts_stand_on_each_other_and_keep_their_colours():
    series = {"written": np.array([2.0, 0]), "none": np.zeros(2), "failed": np.array([2.0, 1])}
    chart = stack_chart("Rows a second", series, np.array([0.0, 1, 2]), "minutes", breaks=[1.0])
    below, above = re.findall(r'<path class="(s\d) layer" d="([^"]*)"', chart)
    assert (below[0], above[0]) == ("s0", "s2")
    assert below[1].startswith("M0.0 500.0L500.0 500.0L500.0 1000.0L1000.0 1000.0")
    assert above[1].startswith("M0.0 0.0L500.0 0.0L500.0 750.0")
    assert "written: 1 on average; none: 0 on average; failed: 1.5 on average" in chart
    assert 'class="break" x1="50.00%"' in chart


def test_nothing_to_show_is_no_chart():
    assert not histogram("x", np.zeros(0))
    assert not histograms("x", {"a": np.zeros(0)})
    assert not strips("x", {"a": {}})
    assert not forest([Panel(title="x", rows=[])])
    assert not curve_chart("x", [Curve(name="a", x=np.array([1.0]), y=np.array([np.nan]))], "step")
    assert not stack_chart("x", {"a": np.zeros(1)}, np.array([0.0, 1]), "hours")


def test_names_cannot_become_markup():
    values = np.array([0.0, 1.0])
    charts = [
        histogram(EVIL, values),
        histograms(EVIL, {EVIL: values}),
        curve_chart(EVIL, [Curve(name=EVIL, x=values, y=values)], EVIL),
        stack_chart(EVIL, {EVIL: values}, np.arange(3.0), EVIL),
        strips(EVIL, {EVIL: dict.fromkeys(("0.05", "0.25", "0.5", "0.75", "0.95"), 1.0)}),
        forest([Panel(title=EVIL, rows=[Interval(name=EVIL, low=0, value=0.5, high=1)])]),
    ]
    for chart in charts:
        assert "<script" not in chart
        assert not re.search(r"""["']\s*onload""", chart)

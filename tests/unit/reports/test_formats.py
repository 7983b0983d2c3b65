"""Figures in words."""

from face0.reports.formats import count_of, interval, natural_key, number, percent, sentence


def test_what_is_missing_is_empty_and_never_a_zero():
    assert [number(value) for value in (None, float("nan"), 0.0, -0.0001, 1.23456)] == [
        "",
        "",
        "0.000",
        "0.000",
        "1.235",
    ]
    assert interval(0.1, 0.25) == "0.100 to 0.250"
    assert interval(None, 0.25) == interval(0.1, float("nan")) == ""
    assert percent(None) == "?"


def test_counts_come_with_their_share():
    assert count_of(1234, 2468) == "1,234 (50 %)"
    assert count_of(0, 0) == "0"


def test_numbers_in_names_sort_as_numbers():
    assert sorted(["face-10", "Face-9", "face-009b"], key=natural_key) == ["Face-9", "face-009b", "face-10"]


def test_a_phrase_becomes_a_sentence():
    assert sentence("cosine of two") == "Cosine of two."

"""Values of options that cannot be are refused in words."""

import argparse

import pytest

from jobs.options.values import at_least, failure_budget, numbers, size


@pytest.mark.parametrize(
    ("parse", "text", "words"),
    [
        (at_least(1), "many", "'many' is not a whole number"),
        (at_least(1), "0", "0 is below 1"),
        (at_least(0, float), "x", "'x' is not a number"),
        (numbers(2), "1,b", "'b' is not a number"),
        (numbers(2), "1", "'1' is not 2 numbers"),
        (failure_budget, "half", "'half' is not a number"),
        (size, "640xx", "'x' is not a whole number"),
    ],
)
def test_wrong_values_are_refused_in_words(parse, text, words):
    with pytest.raises(argparse.ArgumentTypeError, match=words):
        parse(text)


def test_a_size_is_a_side_or_width_and_height():
    assert (size("512"), size("640x480")) == ((512, 512), (640, 480))

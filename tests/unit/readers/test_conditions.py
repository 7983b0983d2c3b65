"""Conditions on the columns of an input."""

import pickle

import pytest

from face0.errors import UsageError
from face0.readers.conditions import Condition

ROW = {
    "aesthetic": 5.7,
    "punsafe": "0.1",
    "language": "en",
    "id": "007",
    "big": 2**60 + 1,
    "is_open": True,
    "none": None,
}


@pytest.mark.parametrize(
    "text",
    [
        "aesthetic >= 5.5 and punsafe < 0.5",
        "5.5 <= aesthetic <= 6",
        "not aesthetic < 5.5",
        "language == 'en'",
        "language in ('de', 'en') and language not in ['fr']",
        "language != 'de' or aesthetic > 9",
        "id == '007'",
        "id == 7",
        "big == 1152921504606846977",
        "is_open and not punsafe > 0.5",
        "none is None and aesthetic is not None",
        "none > 5 or aesthetic > 5",
        "aesthetic > -1",
        "aesthetic >= 5.5\n  and punsafe < 0.5",
        "punsafe < aesthetic",
    ],
)
def test_row_is_wanted(text):
    assert Condition(text).is_met(ROW)


@pytest.mark.parametrize(
    "text",
    [
        "aesthetic >= 6",
        "language == 'EN'",
        "id == '7'",
        "big == 1152921504606846976",
        "language > 5",
        # Of what is missing nothing is known, nor of its contrary.
        "none > 5",
        "not none > 5",
        "none != 5",
        "absent == absent",
        "none not in (1, 2)",
        "none > 5 and aesthetic > 5",
    ],
)
def test_row_is_not_wanted(text):
    assert not Condition(text).is_met(ROW)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("aesthetic = 5", "does not read"),
        ("aesthetic >=", "does not read"),
        ("", "does not read"),
        ("a.b > 1", "'a.b' is neither"),
        ("len(a) > 1", "'len(a)' is neither"),
        ("a[0] > 1", "'a[0]' is neither"),
        ("a + 1 > 2", "'a + 1' is neither"),
        ("a > 1 if b else c", "no comparison"),
        ("a in b", "no list of values"),
        ("a is 5", "only None"),
        ("5", "no comparison"),
        ("a > 1 and " * 5000 + "b > 1", "characters"),
    ],
)
def test_what_is_no_condition_is_refused_with_the_reason(text, why):
    with pytest.raises(UsageError, match="--where") as error:
        Condition(text)
    assert why in str(error.value)


def test_names_its_columns_and_goes_to_other_processes():
    condition = pickle.loads(pickle.dumps(Condition("a > 1 and (b < 2 or a is None)")))
    assert set(condition.columns) == {"a", "b"}
    assert condition.is_met({"a": 2, "b": 1})


@pytest.mark.parametrize(
    "text", ["`my-score` > 1", "`class` == 'a`b'", "not (`original width` < 2) and `class` in ('a`b', 'c')"]
)
def test_names_that_are_no_words_stand_in_backticks(text):
    condition = Condition(text)
    assert set(condition.columns) <= {"my-score", "class", "original width"}
    assert condition.is_met({"my-score": 2, "class": "a`b", "original width": 3})
    assert not condition.is_met({"my-score": 1, "class": "b", "original width": 1})

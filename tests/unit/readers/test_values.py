"""Values of columns as text."""

from datetime import date
from decimal import Decimal
from uuid import UUID

import pyarrow as pa
import pytest

from face0.readers.values import NoText, caption_text, python_values, text_of
from schemas.failures import Reason


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("007", "007"),
        (b"007", "007"),
        (7, "7"),
        (7.0, "7"),
        (7.5, "7.5"),
        (float("nan"), None),
        (True, None),
        (None, None),
        (date(2020, 1, 2), "2020-01-02"),
        (Decimal(10**37), "1" + 37 * "0"),
        (Decimal("12.00"), "12"),
        (Decimal("1.50"), "1.50"),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (["a"], None),
        ("half \ud83d", "half \ufffd"),
    ],
)
def test_value_as_text(value, text):
    assert text_of(value) == text


@pytest.mark.parametrize(
    ("value", "caption"),
    [
        (["a", "b"], "a"),
        ([None, " ", "b"], "b"),
        ([], None),
        ('["a", "b"]', "a"),
        ('[ "a" , "b" ]', "a"),
        ('[null, "b"]', "b"),
        ("[]", None),
        ("""['a', 'b']""", "a"),
        ("""["it's", 'b']""", "it's"),
        ("""[None, 'it\\'s "b"']""", 'it\'s "b"'),
        ("['a' 'b'\n 'c']", "a"),
        ("['90s party]", "['90s party]"),
        ("[a man]", "[a man]"),
        ("['a', 1]", "['a', 1]"),
        ('["a", 1]', '["a", 1]'),
        ('["a"] and more', '["a"] and more'),
    ],
)
def test_first_caption_of_several(value, caption):
    assert caption_text(value) == caption


@pytest.mark.parametrize("value", [{"en": "a"}, [{"en": "a"}], [1]])
def test_caption_that_is_no_text(value):
    with pytest.raises(NoText, match="no text") as refused:
        caption_text(value)
    assert refused.value.failure("k", "s").reason == Reason.NO_CAPTION


def test_bytes_that_are_no_text():
    with pytest.raises(NoText, match=r"the key is encoded neither.*--encoding") as refused:
        text_of(b"caf\xe9", what="the key")
    assert refused.value.reason == Reason.BAD_ENCODING
    assert text_of(b"caf\xe9", "cp1252") == "caf\xe9"


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["a", None, "b"]).dictionary_encode(),
        pa.array(["a", None, "b"], pa.large_string()),
        pa.array([b"a", None, b"b"], pa.binary()),
        pa.array(["x", "a", None, "b"]).slice(1),
    ],
)
def test_columns_of_every_type(column):
    assert python_values(column) == ["a", None, "b"]


def test_lists_in_a_slice():
    column = pa.array([["x"], ["a", "b"], None, [], ["c"]])
    assert python_values(column.slice(1)) == [["a", "b"], None, [], ["c"]]
    fixed = pa.array([["x", "y"], ["a", "b"], None, ["c", "d"]], pa.list_(pa.string(), 2))
    assert python_values(fixed.slice(1)) == [["a", "b"], None, ["c", "d"]]

"""Measures as rows of a table and as JSON: what is not known is null, not NaN."""

import json

import numpy as np

from face0.evaluation.measures import Measure, as_records, json_numbers, measured, measures_table, replaced
from face0.statistics.resampling import Estimate
from schemas.measures import MEASURES

UNSURE = Estimate(value=0.25, low=float("nan"), high=float("inf"), error=np.float64(0.5))


def test_what_is_not_finite_is_null_in_the_table():
    table = measures_table([measured(UNSURE, measure="m", arm="a", images=np.int64(3)), Measure(measure="n", arm="b")])
    assert table.schema.equals(MEASURES, check_metadata=True)
    first, second = table.to_pylist()
    assert (first["value"], first["low"], first["high"], first["error"], first["images"]) == (0.25, None, None, 0.5, 3)
    assert second["value"] is None


def test_a_replaced_field_becomes_null_as_well():
    measure = measured(UNSURE, measure="m", arm="a")
    assert replaced(measure, p=float("nan"), q=0.5) == measured(UNSURE, measure="m", arm="a", q=0.5)


def test_records_have_all_fields_whatever_is_known():
    for record in as_records([Measure(measure="m", arm="a", value=0.0), Measure(measure="n", arm="b")]):
        assert list(record) == MEASURES.names


def test_numbers_that_json_lacks_become_null_at_any_depth():
    nested = {"a": [float("nan"), {"b": np.float32(1.5)}], "c": "nan", "d": (np.int64(2), -float("inf"))}
    assert json.dumps(json_numbers(nested), allow_nan=False) == '{"a": [null, {"b": 1.5}], "c": "nan", "d": [2, null]}'

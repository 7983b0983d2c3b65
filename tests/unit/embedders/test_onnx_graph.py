"""Models that normalise their input themselves are known by their first operations."""

import numpy as np
import pytest

from face0.embedders.onnx_graph import InputRange, external_files, input_range, parse
from tests.fixtures.recognisers import FLOAT16, UINT8, recogniser

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def channels(values: np.ndarray) -> np.ndarray:
    return values.reshape(1, 3, 1, 1)


BYTES = {
    "minus 127.5, times 1/128": [("Sub", 127.5), ("Mul", 1 / 128)],
    "minus 127.5, over 127.5": [("Sub", [127.5]), ("Div", [127.5])],
    "over 255": [("Div", 255)],
    "over 255, then ImageNet": [("Div", 255), ("Sub", channels(MEAN)), ("Div", channels(STD))],
    "ImageNet of bytes": [("Sub", channels(255 * MEAN)), ("Mul", channels(1 / (255 * STD)))],
    "times 2/255, minus 1": [("Mul", 2 / 255), ("Add", -1)],
    "a batch norm of bytes": [("BatchNormalization", [np.ones(3), np.zeros(3), 255 * MEAN, (255 * STD) ** 2])],
}
UNIT = {
    "ImageNet": [("Sub", channels(MEAN)), ("Div", channels(STD))],
    "times 2, minus 1": [("Mul", 2), ("Sub", 1)],
}
NEITHER = {
    "nothing": [],
    "a batch norm of values about zero": [("BatchNormalization", [np.ones(3), np.zeros(3), np.zeros(3), np.ones(3)])],
    "a slight scale": [("Mul", 1.1)],
}
CASES = [
    *((name, before, InputRange.BYTES) for name, before in BYTES.items()),
    *((name, before, InputRange.UNIT) for name, before in UNIT.items()),
    *((name, before, None) for name, before in NEITHER.items()),
]


@pytest.mark.parametrize(("before", "wanted"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_values_that_a_model_is_made_for(before, wanted, tmp_path):
    for form in ({}, {"kind": UINT8, "layout": "NHWC"}, {"kind": FLOAT16}):
        graph = parse(recogniser(tmp_path / "a.onnx", before=before, **form).read_bytes())
        assert input_range(graph, "face") == wanted


def test_files_beside_a_model_are_named(tmp_path):
    assert external_files(parse(recogniser(tmp_path / "a.onnx").read_bytes())) == []
    graph = parse(recogniser(tmp_path / "a.onnx", beside="weights.bin").read_bytes())
    assert external_files(graph) == ["weights.bin"]


def test_what_is_no_model_is_refused():
    with pytest.raises(ValueError, match=r"."):
        parse(b"this is no protocol buffer")

"""Recognisers in ONNX of any form give each face its vector, or are refused before a job begins."""

import hashlib
import shutil

import fsspec
import numpy as np
import pytest

from face0.embedders.onnx import OnnxConfig
from face0.embedders.onnx_model import OnnxModel, read_model
from face0.errors import UsageError
from tests.fixtures.recognisers import DIM, DOUBLE, FLOAT16, INT64, SIDE, UINT8, recogniser, vector_of

CROPS = np.random.default_rng(1).integers(0, 256, (7, SIDE, SIDE, 3), dtype=np.uint8)
HALF = (0.5, 0.5, 0.5)


def embedded(config: OnnxConfig, crops: np.ndarray = CROPS) -> np.ndarray:
    """The vectors of crops, by a configuration as a worker loads it."""
    config = config.resolve()
    model = OnnxModel(config.weights, read_model(config.weights, config.sha256), config.size)
    model.settle(config.prepared, config.output or model.first)
    return model(config.prepared(crops))


def expected(crops: np.ndarray = CROPS, mean: float = 0.5, std: float = 0.5) -> np.ndarray:
    return np.array([vector_of((crop / np.float32(255) - mean) / std) for crop in crops])


FORMS = {
    "one at a time": {"batch": 1},
    "four at a time": {"batch": 4},
    "any number": {},
    "any number by its own account, one in truth": {"tails": {"embedding": [1, DIM]}},
    "channels last": {"layout": "NHWC"},
    "channels last, one at a time": {"layout": "NHWC", "batch": 1},
    "half precision": {"kind": FLOAT16},
    "double precision": {"kind": DOUBLE},
    "a map of one pixel": {"tails": {"embedding": [-1, DIM, 1, 1]}},
    "no axis of faces": {"batch": 1, "tails": {"embedding": [-1]}},
    "all vectors in a row": {"tails": {"embedding": [-1]}},
    "its length beside it": {"tails": {"norm": [0], "embedding": [-1, DIM]}},
    "a map beside it": {"tails": {"map": [-1, 6, 2, 2], "embedding": [-1, DIM]}},
    "weights in a file beside it": {"beside": "weights.bin"},
    "no size": {"sides": ("H", "W")},
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_each_face_has_its_vector(form, tmp_path):
    path = recogniser(tmp_path / "a.onnx", **form)
    size = SIDE if "sides" in form else None
    vectors = embedded(OnnxConfig(weights=str(path), mean=HALF, std=HALF, size=size))
    assert np.allclose(vectors, expected(), atol=0.05 if form.get("kind") == FLOAT16 else 1e-3)


def test_bytes_are_given_as_they_are(tmp_path):
    path = recogniser(tmp_path / "a.onnx", kind=UINT8)
    assert np.allclose(embedded(OnnxConfig(weights=str(path))), expected(mean=0, std=1 / 255), rtol=1e-3)
    with pytest.raises(UsageError, match=r"takes bytes.*leave out --onnx-mean"):
        OnnxConfig(weights=str(path), mean=HALF, std=HALF).resolve()


def test_blue_first(tmp_path):
    config = OnnxConfig(weights=str(recogniser(tmp_path / "a.onnx")), mean=HALF, std=HALF, channels="bgr")
    assert np.allclose(embedded(config), expected(CROPS[..., ::-1]), atol=1e-3)
    assert config.resolve().metadata()["channels"] == "bgr"


REFUSED = {
    "two that may be it": ({"tails": {"a": [-1, DIM], "b": [-1, DIM]}}, r"--onnx-output; it has a \(24 values\), b"),
    "a number": ({"tails": {"norm": [0]}}, "none is a vector"),
    "a map": ({"tails": {"map": [-1, 6, 2, 2]}}, "none is a vector"),
    "no size": ({"sides": ("H", "W")}, "give --onnx-size"),
    "not square": ({"sides": (SIDE, 2 * SIDE)}, "give a model of square faces"),
    "whole numbers": ({"kind": INT64}, "give a model of float, float16 or uint8"),
}


@pytest.mark.parametrize(("form", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_what_gives_no_vector_is_refused_in_a_line(form, why, tmp_path):
    path = recogniser(tmp_path / "a.onnx", **form)
    with pytest.raises(UsageError, match=why) as refused:
        OnnxConfig(weights=str(path), mean=HALF, std=HALF).resolve()
    assert "\n" not in str(refused.value)


def test_another_size_than_the_models_is_refused(tmp_path):
    path = recogniser(tmp_path / "a.onnx")
    with pytest.raises(UsageError, match=f"leave out --onnx-size 64, or give {SIDE}"):
        OnnxConfig(weights=str(path), size=64).resolve()
    path = recogniser(tmp_path / "b.onnx", sides=("H", "W"))
    with pytest.raises(UsageError, match="does not run on a face"):
        OnnxConfig(weights=str(path), size=SIDE + 16).resolve()


def test_an_output_that_is_asked_for(tmp_path):
    path = recogniser(tmp_path / "a.onnx", tails={"a": [-1, DIM, 1, 1], "b": [-1, DIM], "norm": [0]})
    chosen = {name: OnnxConfig(weights=str(path), mean=HALF, std=HALF, output=name) for name in ("a", "b", "c")}
    for name in ("a", "b"):
        assert np.allclose(embedded(chosen[name]), expected(), atol=1e-3)
    assert "output" not in chosen["a"].resolve().metadata()  # as files say that were made before it could be asked for
    assert chosen["b"].resolve().metadata()["output"] == "b"
    with pytest.raises(UsageError, match="no vector --onnx-output c; it has a"):
        chosen["c"].resolve()


def test_files_beside_a_model_are_part_of_it(tmp_path):
    path = recogniser(tmp_path / "a.onnx", beside="weights.bin")
    both = hashlib.sha256(path.read_bytes() + (tmp_path / "weights.bin").read_bytes()).hexdigest()
    here = OnnxConfig(weights=str(path), mean=HALF, std=HALF)
    assert here.resolve().sha256 == both
    memory = fsspec.filesystem("memory")
    for name in ("a.onnx", "weights.bin"):
        memory.pipe_file(f"/models/{name}", (tmp_path / name).read_bytes())
    there = OnnxConfig(weights="memory://models/a.onnx", sha256=both, mean=HALF, std=HALF)
    assert np.allclose(embedded(there), expected(), atol=1e-3)
    memory.rm("/models/weights.bin")
    with pytest.raises(UsageError, match=r"keeps its weights in 'weights.bin' beside it, which cannot be read"):
        there.resolve()
    shutil.copy(tmp_path / "a.onnx", tmp_path / "weights.bin")  # others
    with pytest.raises(UsageError, match="get the file anew"):
        OnnxConfig(weights=str(path), sha256=both).resolve()


def test_weights_are_not_looked_for_elsewhere(tmp_path):
    (tmp_path / "models").mkdir()
    path = recogniser(tmp_path / "models" / "a.onnx", beside="weights.bin")
    path.write_bytes(path.read_bytes().replace(b"weights.bin", b"../ghts.bin"))
    (tmp_path / "models" / "weights.bin").rename(tmp_path / "ghts.bin")
    with pytest.raises(UsageError, match="cannot be read"):
        OnnxConfig(weights=str(path)).resolve()

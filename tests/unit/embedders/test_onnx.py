"""How faces are given to a recogniser: as is said, else as the model tells, else as its preset has it."""

import logging

import pytest

from face0.embedders.metadata import refuse_other_embedder
from face0.embedders.normalisation import BYTES_STD, HALF, IMAGENET_MEAN, IMAGENET_STD, NO_MEAN, UNIT_STD
from face0.embedders.onnx import OnnxConfig
from face0.embedders.onnx_presets import PRESETS
from face0.embedders.specification import embedder_config
from face0.errors import UsageError
from face0.io.json import differences, to_json_values
from tests.fixtures.recognisers import recogniser

OWN = [("Sub", 127.5), ("Mul", 1 / 128)]
TELLS = {  # what is asked for, what the model does itself, and what it is given
    "ImageNet's, with a word of it": ("onnx", {}, [], (IMAGENET_MEAN, IMAGENET_STD)),
    "the model's own": ("onnx", {}, OWN, (NO_MEAN, BYTES_STD)),
    "the model's own, of 0..1": ("onnx", {}, [("Sub", 0.5), ("Div", 0.5)], (NO_MEAN, UNIT_STD)),
    "the preset's": ("insightface", {}, [], (HALF, HALF)),
    "the model's own before the preset's": ("insightface", {}, OWN, (NO_MEAN, BYTES_STD)),
    "the options' before both": ("adaface", {"onnx_mean": NO_MEAN, "onnx_std": UNIT_STD}, OWN, (NO_MEAN, UNIT_STD)),
    "half from the preset": ("mobilefacenet", {"onnx_std": UNIT_STD}, [], (IMAGENET_MEAN, UNIT_STD)),
}


@pytest.mark.parametrize(("kind", "options", "before", "given"), TELLS.values(), ids=TELLS.keys())
def test_who_says_how_colours_are_given(kind, options, before, given, tmp_path, caplog):
    caplog.set_level(logging.INFO, "face0")
    path = recogniser(tmp_path / "a.onnx", before=before, sides=(112, 112), size=112)
    config = embedder_config(f"{kind}:{path}", **options).resolve()
    assert isinstance(config, OnnxConfig)
    assert (config.mean, config.std) == given
    assert bool(caplog.records) == (not options and (kind == "onnx" or bool(before)))  # never without a word


def test_half_a_normalisation_is_refused(tmp_path):
    with pytest.raises(UsageError, match="--onnx-mean and --onnx-std go together"):
        embedder_config(f"onnx:{recogniser(tmp_path / 'a.onnx')}", onnx_mean=HALF).resolve()


def test_a_preset_says_size_and_order_and_stands_in_the_metadata(tmp_path):
    path = recogniser(tmp_path / "a.onnx", sides=("H", "W"), size=112)
    config = embedder_config(f"adaface:{path}").resolve()
    assert config.metadata() == {
        "name": "onnx:a.onnx",
        "sha256": config.sha256,
        "crop": "five points 112",
        "normalisation": "0.5,0.5,0.5; 0.5,0.5,0.5",
        "channels": "bgr",
        "preset": "adaface",
    }
    same = {"onnx_size": 112, "onnx_mean": HALF, "onnx_std": HALF}
    in_numbers = embedder_config(f"onnx:{path}", onnx_channels="bgr", **same).resolve().metadata()
    refuse_other_embedder("one", in_numbers, "other", config.metadata())
    red_first = embedder_config(f"onnx:{path}", **same).resolve().metadata()
    with pytest.raises(UsageError, match="channels: None, bgr"):
        refuse_other_embedder("one", red_first, "other", config.metadata())


@pytest.mark.parametrize("name", ["w600k_r50.onnx", "glintr100.onnx"])
def test_a_published_name_is_a_preset_unless_more_is_said(name, tmp_path, caplog):
    caplog.set_level(logging.INFO, "face0")
    path = recogniser(tmp_path / name, sides=(112, 112), size=112)
    assert embedder_config(f"onnx:{path}").resolve().metadata()["preset"] == "insightface"
    assert "insightface:URI" in caplog.text
    said = embedder_config(f"onnx:{path}", onnx_mean=IMAGENET_MEAN, onnx_std=IMAGENET_STD).resolve()
    assert "preset" not in said.metadata()


@pytest.mark.parametrize("preset", PRESETS)
def test_each_preset_is_a_specification(preset):
    config = embedder_config(f"{preset}:a.onnx")
    assert isinstance(config, OnnxConfig)
    assert (config.preset, config.weights) == (preset, "a.onnx")


def test_what_was_recorded_before_there_were_presets_is_the_same(tmp_path):
    config = embedder_config(f"onnx:{recogniser(tmp_path / 'a.onnx')}").resolve()
    metadata = config.metadata()
    assert sorted(metadata) == ["crop", "name", "normalisation", "sha256"]
    now = to_json_values(config)
    before = {name: now[name] for name in ("weights", "sha256", "size", "mean", "std")}
    assert differences({"embedder": before}, {"embedder": now}) == []
    assert differences({"embedder": before}, {"embedder": {**now, "preset": "sface"}}) != []

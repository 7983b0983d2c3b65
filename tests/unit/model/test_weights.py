"""Weights are whole, or refused with some of their names; the one variant that is there is loaded."""

import json
import re
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel

from face0.errors import UsageError
from face0.model.base_models import base_model, load_base
from face0.model.pipeline import Face0Pipeline
from face0.model.presets import BASE_PRESETS
from face0.model.projection import FaceProjection
from face0.model.weights import load_weights, variant_of

PARTS = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model", "text_encoder": "model"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights") / "base"
    base_model(BASE_PRESETS["tiny"], 2).save_pretrained(folder)
    return folder


@pytest.fixture
def base(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "base")
    return tmp_path / "base"


def rewrite(file, change):
    save_file(dict(change(load_file(file))), file, metadata={"format": "pt"})


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(("prefix", "wrapper"), [("_orig_mod.", "torch.compile"), ("module.", "DistributedData")])
def test_wrappers_are_named(base, part, prefix, wrapper):
    rewrite(base / part / f"{PARTS[part]}.safetensors", lambda w: {prefix + n: v for n, v in w.items()})
    with pytest.raises(UsageError, match=f"{part}: .*'{re.escape(prefix)}', as {wrapper}"):
        load_base(base)


@pytest.mark.parametrize("part", PARTS)
def test_what_is_missing_or_left_over_is_named(base, part):
    file = base / part / f"{PARTS[part]}.safetensors"
    names = sorted(load_file(file))
    rewrite(file, lambda w: {n: v for n, v in w.items() if n != names[0]})
    with pytest.raises(UsageError, match=rf"{part}: .*1 missing \({re.escape(names[0])}\)"):
        load_base(base)
    rewrite(file, lambda w: {**w, names[0]: torch.zeros(1), "ours.weight": torch.zeros(1)})
    with pytest.raises(UsageError, match=f"{part}"):  # of another shape too
        load_base(base)


def test_a_weight_left_over_is_named(base):
    rewrite(base / "unet" / "diffusion_pytorch_model.safetensors", lambda w: {**w, "lora.up": torch.zeros(1)})
    with pytest.raises(UsageError, match=r"1 left over \(lora.up\)"):
        load_base(base)


def test_older_text_encoders_load(base):
    """They have longer names, and the positions among their weights."""
    rewrite(
        base / "text_encoder" / "model.safetensors",
        lambda w: {
            **{f"text_model.{n.removeprefix('text_model.')}": v for n, v in w.items()},
            "text_model.embeddings.position_ids": torch.arange(77)[None],
        },
    )
    load_base(base)


@pytest.mark.parametrize("variant", ["fp16", "non_ema"])
def test_the_only_variant_is_loaded_as_float32(base, whole, variant):
    for part, stem in PARTS.items():
        file = base / part / f"{stem}.safetensors"
        rewrite(file, lambda w: {n: v.half() for n, v in w.items()})
        file.rename(base / part / f"{stem}.{variant}.safetensors")
    loaded, plain = load_base(base), load_base(whole)
    for part in PARTS:
        first, second = (next(getattr(pipe, part).parameters()) for pipe in (loaded, plain))
        assert first.dtype == torch.float32
        assert torch.allclose(first, second, atol=1e-3)


def test_which_files_are_the_weights():
    assert variant_of(["model.safetensors", "model.fp16.safetensors"], "a") is None
    assert variant_of(["model.safetensors.index.json", "model-00001-of-00002.safetensors"], "a") is None
    assert variant_of(["diffusion_pytorch_model.fp16-00001-of-00002.safetensors"], "a") == "fp16"
    with pytest.raises(UsageError, match="but the variants ema, fp16"):
        variant_of(["model.fp16.safetensors", "model.ema.safetensors"], "a")
    with pytest.raises(UsageError, match=r"pytorch_model.bin alone, which may run code"):
        variant_of(["config.json", "pytorch_model.bin"], "a")
    with pytest.raises(UsageError, match="has no weights"):
        variant_of(["config.json"], "a")


def test_pickled_weights_are_named(base):
    (base / "vae" / "diffusion_pytorch_model.safetensors").rename(base / "vae" / "diffusion_pytorch_model.bin")
    with pytest.raises(UsageError, match=r"vae holds its weights as diffusion_pytorch_model.bin alone"):
        load_base(base)


def test_a_model_is_held_to_the_same(base, tmp_path):
    pipe = Face0Pipeline.from_base(load_base(base), FaceProjection(embedding_dim=8, context_dim=32, width=16))
    pipe.save_pretrained(tmp_path / "model")
    loaded = Face0Pipeline.from_pretrained(tmp_path / "model", dtype=torch.bfloat16)
    assert {part.dtype for part in (loaded.unet, loaded.text_encoder, loaded.face_projection)} == {torch.bfloat16}
    rewrite(
        tmp_path / "model" / "face_projection" / "diffusion_pytorch_model.safetensors",
        lambda w: {n: v for n, v in w.items() if not n.startswith("heads.2.")},
    )
    with pytest.raises(UsageError, match=r"face_projection: .* missing \(heads.2"):
        Face0Pipeline.from_pretrained(tmp_path / "model")


def test_what_is_no_folder_of_weights_is_refused(base):
    (base / "text_encoder" / "config.json").write_text(json.dumps({"model_type": "clip_text_model", "hidden_size": 7}))
    with pytest.raises(UsageError, match=r"text_encoder"):
        load_weights(CLIPTextModel, base / "text_encoder")

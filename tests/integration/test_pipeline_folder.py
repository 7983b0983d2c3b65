"""The pipeline's folder, its parts, and what users load into it: LoRAs and textual inversions."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline, StableDiffusionPipeline
from diffusers.utils import convert_state_dict_to_diffusers
from peft import LoraConfig, get_peft_model_state_dict
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors.torch import save_file

from face0.errors import UsageError
from face0.generation.renderer import Renderer
from face0.model.base_models import base_model
from face0.model.pipeline import Face0Pipeline
from face0.model.presets import BASE_PRESETS
from tests.fixtures.models import checked_pipeline, tiny_pipeline
from tests.fixtures.pipeline_calls import picture
from tests.fixtures.requests import request


@pytest.fixture(scope="module")
def pipe() -> Face0Pipeline:
    """A tiny pipeline, which stays as it is."""
    return tiny_pipeline()


def dtypes(pipe: Face0Pipeline) -> dict[str, torch.dtype]:
    return {name: part.dtype for name, part in pipe.components.items() if isinstance(part, torch.nn.Module)}


# --- Saved and loaded


def test_a_saved_pipeline_makes_the_same_pictures(pipe: Face0Pipeline, tmp_path: Path) -> None:
    pipe.save_pretrained(tmp_path)
    loaded = Face0Pipeline.from_pretrained(tmp_path)
    assert np.array_equal(picture(loaded), picture(pipe))
    assert set(loaded.components) == set(pipe.components)


def test_optional_parts_stay_away(tmp_path: Path) -> None:
    pipe = checked_pipeline()
    for name in Face0Pipeline._optional_components:
        setattr(pipe, name, None)
    pipe.save_pretrained(tmp_path)
    loaded = Face0Pipeline.from_pretrained(tmp_path)
    assert all(getattr(loaded, name) is None for name in Face0Pipeline._optional_components)
    assert np.array_equal(picture(loaded), picture(pipe))


def test_optional_parts_are_saved_where_they_are(tmp_path: Path) -> None:
    checked_pipeline().save_pretrained(tmp_path)
    assert Face0Pipeline.from_pretrained(tmp_path).safety_checker is not None
    without = Face0Pipeline.from_pretrained(tmp_path, safety_checker=None)
    assert without.safety_checker is None


@pytest.mark.parametrize("option", ["dtype", "torch_dtype"])
def test_parts_load_in_the_dtypes_that_are_asked_for(pipe: Face0Pipeline, tmp_path: Path, option: str) -> None:
    pipe.save_pretrained(tmp_path)
    half = Face0Pipeline.from_pretrained(tmp_path, **{option: torch.float16})
    assert set(dtypes(half).values()) == {torch.float16}
    np.testing.assert_allclose(picture(half), picture(pipe), atol=0.05)
    mixed = Face0Pipeline.from_pretrained(tmp_path, **{option: {"unet": torch.bfloat16, "default": torch.float16}})
    assert dtypes(mixed).pop("unet") == torch.bfloat16
    assert {dtype for name, dtype in dtypes(mixed).items() if name != "unet"} == {torch.float16}
    np.testing.assert_allclose(picture(mixed), picture(pipe), atol=0.1)


def test_variants_are_written_and_read(pipe: Face0Pipeline, tmp_path: Path) -> None:
    pipe.save_pretrained(tmp_path, variant="fp16")
    assert (tmp_path / "unet" / "diffusion_pytorch_model.fp16.safetensors").is_file()
    for options in ({"variant": "fp16"}, {}):
        assert np.array_equal(picture(Face0Pipeline.from_pretrained(tmp_path, **options)), picture(pipe))
    with pytest.raises(ValueError, match="variant=other"):
        Face0Pipeline.from_pretrained(tmp_path, variant="other")


def test_pickled_weights_are_not_loaded(pipe: Face0Pipeline, tmp_path: Path) -> None:
    pipe.save_pretrained(tmp_path, safe_serialization=False)
    with pytest.raises(UsageError, match="may run code and are not loaded"):
        Face0Pipeline.from_pretrained(tmp_path)


# --- Found by diffusers


@pytest.mark.parametrize("named", [True, False])
def test_diffusers_finds_the_class_by_the_file_in_the_folder(
    pipe: Face0Pipeline, tmp_path: Path, named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("diffusers.utils.dynamic_modules_utils.HF_MODULES_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "model"
    pipe.save_pretrained(folder)
    where = "pipeline" if named else str(folder)
    loaded = DiffusionPipeline.from_pretrained(folder, custom_pipeline=where, trust_remote_code=True)
    assert type(loaded) is Face0Pipeline
    assert np.array_equal(picture(loaded), picture(pipe))
    assert json.loads((folder / "model_index.json").read_text())["_class_name"] == "Face0Pipeline"


# --- Parts


def test_a_pipeline_is_made_of_its_parts(pipe: Face0Pipeline) -> None:
    again = Face0Pipeline(**pipe.components)
    assert again.components == pipe.components
    assert np.array_equal(picture(again), picture(pipe))


def test_pipelines_are_made_of_each_other(pipe: Face0Pipeline) -> None:
    plain = StableDiffusionPipeline.from_pipe(pipe, requires_safety_checker=False)
    assert plain.unet is pipe.unet
    back = Face0Pipeline.from_pipe(plain, face_projection=pipe.face_projection)
    assert np.array_equal(picture(back), picture(pipe))
    assert np.array_equal(picture(Face0Pipeline.from_pipe(pipe)), picture(pipe))


def test_parts_move_to_a_dtype_together() -> None:
    pipe = tiny_pipeline()
    reference = picture(pipe)
    for dtype, tolerance in ((torch.bfloat16, 0.1), (torch.float16, 0.05)):
        moved = tiny_pipeline().to("cpu", dtype)
        assert set(dtypes(moved).values()) == {dtype}
        np.testing.assert_allclose(picture(moved), reference, atol=tolerance)


@pytest.mark.parametrize("dtype", ["float16", "auto", torch.int8, {"default": "bfloat16"}, {"unet": 16}])
def test_what_is_no_dtype_is_refused(pipe: Face0Pipeline, dtype: object, tmp_path: Path) -> None:
    pipe.save_pretrained(tmp_path)
    with pytest.raises(UsageError, match="give one of torch for real numbers"):
        Face0Pipeline.from_pretrained(tmp_path, torch_dtype=dtype)


def test_a_base_is_refused_unless_a_projection_is_given(pipe: Face0Pipeline, tmp_path: Path) -> None:
    base_model(BASE_PRESETS["tiny"], 0).save_pretrained(tmp_path)
    with pytest.raises(UsageError, match="Pipeline without a face_projection: train one with `face0 train"):
        Face0Pipeline.from_pretrained(tmp_path)
    loaded = Face0Pipeline.from_pretrained(tmp_path, face_projection=pipe.face_projection)
    assert np.array_equal(picture(loaded), picture(pipe))


# --- LoRA and textual inversion


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    """A folder with a LoRA of the U-Net."""
    pipe = tiny_pipeline()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        pipe.unet.add_adapter(LoraConfig(r=2, init_lora_weights=False, target_modules=["to_q", "to_k", "to_v"]))
    layers = convert_state_dict_to_diffusers(get_peft_model_state_dict(pipe.unet))
    Face0Pipeline.save_lora_weights(tmp_path / "lora", unet_lora_layers=layers)
    return tmp_path / "lora"


def test_a_lora_changes_the_picture_until_it_is_unloaded(lora: Path) -> None:
    pipe = tiny_pipeline()
    plain = picture(pipe)
    pipe.load_lora_weights(lora)
    adapted = picture(pipe)
    assert np.abs(adapted - plain).max() > 0.01
    assert np.array_equal(picture(pipe, cross_attention_kwargs={"scale": 0.0}), plain)
    half = picture(pipe, cross_attention_kwargs={"scale": 0.5})
    assert (half != plain).any()
    assert (half != adapted).any()
    assert np.array_equal(picture(pipe), adapted)  # the scale was of one call
    pipe.unload_lora_weights()
    assert np.array_equal(picture(pipe), plain)


def test_the_scale_of_a_call_is_that_of_the_text_encoders_lora_too(pipe: Face0Pipeline) -> None:
    scales = []

    class Scaled(torch.nn.Module, BaseTunerLayer):
        def scale_layer(self, scale: float) -> None:
            scales.append(scale)

        def unscale_layer(self, scale: float | None = None) -> None:
            scales.append(-1 if scale is None else -scale)

    pipe.text_encoder.scaled = Scaled()
    try:
        pipe.encode_prompt("a cat", lora_scale=0.5)
        with pytest.raises(UsageError):
            pipe.encode_prompt(["a cat", 3], lora_scale=0.25)  # type: ignore[list-item]
    finally:
        del pipe.text_encoder.scaled
    assert scales == [0.5, -0.5, 0.25, -0.25]


def test_a_fused_lora_makes_the_same_picture(lora: Path) -> None:
    pipe = tiny_pipeline()
    pipe.load_lora_weights(lora)
    adapted = picture(pipe)
    pipe.fuse_lora()
    np.testing.assert_allclose(picture(pipe), adapted, atol=1e-3)


def test_a_lora_is_saved_in_the_weights_or_not_at_all(lora: Path, tmp_path: Path) -> None:
    pipe = tiny_pipeline()
    pipe.load_lora_weights(lora)
    for change in (lambda: None, pipe.fuse_lora):
        change()
        with pytest.raises(UsageError, match=r"unet holds a LoRA .* call fuse_lora\(\) and unload_lora_weights\(\)"):
            pipe.save_pretrained(tmp_path / "saved")
    assert not (tmp_path / "saved").exists()
    pipe.unload_lora_weights()
    pipe.save_pretrained(tmp_path / "saved")
    assert np.array_equal(picture(Face0Pipeline.from_pretrained(tmp_path / "saved")), picture(pipe))
    assert (picture(pipe) != picture(tiny_pipeline())).any()


def test_the_scale_of_a_call_does_not_hold_for_renders(lora: Path) -> None:
    pipe = tiny_pipeline()
    pipe.load_lora_weights(lora)
    (before,) = Renderer(pipe)([request()])
    picture(pipe, cross_attention_kwargs={"scale": 0.0})
    (after,) = Renderer(pipe)([request()])
    assert np.array_equal(before.pixels, after.pixels)


def test_a_textual_inversion_is_a_word_until_it_is_unloaded(tmp_path: Path) -> None:
    pipe = tiny_pipeline()
    words = {"prompt": "a photo of a <thing>"}
    plain, words_before = picture(pipe, **words), len(pipe.tokenizer)
    file = tmp_path / "thing.safetensors"
    save_file({"<thing>": torch.randn(3, pipe.text_encoder.config.hidden_size)}, file)
    pipe.load_textual_inversion(file, token="<thing>")
    assert len(pipe.tokenizer) == words_before + 3
    inverted = picture(pipe, **words)
    assert (inverted != plain).any()
    all_vectors = pipe.encode_text(["a photo of a <thing> <thing>_1 <thing>_2"])
    assert torch.equal(pipe.encode_prompt("a photo of a <thing>")[0], all_vectors)
    pipe.unload_textual_inversion()
    assert np.array_equal(picture(pipe, **words), plain)

"""Ways of diffusers to save memory and time, and to change what the U-Net does: the picture stays what it should be."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny

from face0.model.pipeline import Face0Pipeline
from tests.fixtures.models import checked_pipeline, tiny_pipeline
from tests.fixtures.pipeline_calls import picture

Change = Callable[[Face0Pipeline], object]
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU to move parts to")


@pytest.mark.parametrize(
    ("change", "undo", "tolerance"),
    [
        (lambda p: p.vae.enable_slicing(), lambda p: p.vae.disable_slicing(), 1e-5),
        (lambda p: p.vae.enable_tiling(), lambda p: p.vae.disable_tiling(), 1e-5),
        (lambda p: p.enable_attention_slicing(1), lambda p: p.disable_attention_slicing(), 1e-3),
        (lambda p: p.enable_attention_slicing(2), lambda p: p.disable_attention_slicing(), 1e-3),
        (lambda p: p.fuse_qkv_projections(), lambda p: p.unfuse_qkv_projections(), 1e-4),
        (lambda p: p.enable_model_cpu_offload(device="cpu"), lambda p: p.remove_all_hooks(), 1e-5),
    ],
    ids=["VAE slicing", "VAE tiling", "attention slicing 1", "attention slicing 2", "fused projections", "offload"],
)
def test_what_saves_memory_leaves_the_picture_as_it_is(change: Change, undo: Change, tolerance: float) -> None:
    pipe = tiny_pipeline()
    two = {"prompt": ["a cat", "a dog"], "generator": None, "latents": torch.randn(2, 4, 16, 16)}
    plain = picture(pipe, **two)
    change(pipe)
    np.testing.assert_allclose(picture(pipe, **two), plain, atol=tolerance)
    undo(pipe)
    assert np.array_equal(picture(pipe, **two), plain)


def test_tiles_make_pictures_larger_than_the_vae_was_made_for() -> None:
    pipe = tiny_pipeline()
    pipe.vae.enable_tiling()
    assert picture(pipe, height=96, width=160).shape == (1, 96, 160, 3)


def test_free_u_changes_the_picture_until_it_is_disabled() -> None:
    pipe = tiny_pipeline()
    plain = picture(pipe)
    pipe.enable_freeu(s1=0.9, s2=0.2, b1=1.2, b2=1.4)
    assert np.abs(picture(pipe) - plain).max() > 0.01
    pipe.disable_freeu()
    assert np.array_equal(picture(pipe), plain)


def test_parts_are_used_in_the_order_in_which_they_are_offloaded() -> None:
    pipe = tiny_pipeline()
    order: list[str] = []
    parts = Face0Pipeline.model_cpu_offload_seq.split("->")
    for name in parts[:-1]:
        getattr(pipe, name).register_forward_pre_hook(lambda *_, name=name: order.append(name))
    pipe.vae.decoder.register_forward_pre_hook(lambda *_: order.append("vae"))
    picture(pipe)
    assert [name for i, name in enumerate(order) if i == 0 or order[i - 1] != name] == parts


def test_weights_may_be_kept_in_8_bits() -> None:
    pipe = tiny_pipeline()
    plain = picture(pipe)
    pipe.unet.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=torch.float32)
    np.testing.assert_allclose(picture(pipe), plain, atol=0.2)


def test_groups_are_offloaded() -> None:
    pipe = tiny_pipeline()
    plain = picture(pipe)
    pipe.enable_group_offload(onload_device=torch.device("cpu"), offload_type="leaf_level")
    np.testing.assert_allclose(picture(pipe), plain, atol=1e-5)


def test_another_decoder_can_be_set() -> None:
    small = AutoencoderTiny(
        encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8),
        num_encoder_blocks=(1, 1),
        num_decoder_blocks=(1, 1),
    )
    pipe = Face0Pipeline(**{**tiny_pipeline().components, "vae": small})
    assert picture(pipe).shape == (1, 32, 32, 3)


# --- With a GPU


@needs_gpu
def test_parts_move_to_a_gpu_and_back() -> None:
    pipe = checked_pipeline()
    plain = picture(pipe)
    for device in ("cuda", "cpu"):
        pipe.to(device)
        assert {part.device.type for part in pipe.components.values() if isinstance(part, torch.nn.Module)} == {device}
        np.testing.assert_allclose(picture(pipe), plain, atol=1e-2)


@needs_gpu
def test_16_bits_on_a_gpu_are_near_32() -> None:
    pipe = tiny_pipeline().to("cuda")
    plain = picture(pipe)
    np.testing.assert_allclose(picture(tiny_pipeline().to("cuda", torch.float16)), plain, atol=5e-2)


@needs_gpu
def test_a_generator_on_a_gpu_is_taken() -> None:
    pipe = tiny_pipeline().to("cuda")
    first, second = (picture(pipe, generator=torch.Generator("cuda").manual_seed(0)) for _ in range(2))
    assert np.array_equal(first, second)


@needs_gpu
@pytest.mark.parametrize("way", ["enable_model_cpu_offload", "enable_sequential_cpu_offload"])
def test_offloading_leaves_the_picture_as_it_is(way: str) -> None:
    plain = picture(checked_pipeline().to("cuda"))
    pipe = checked_pipeline()
    for _ in range(2):
        getattr(pipe, way)()
        assert pipe._execution_device.type == "cuda"
        np.testing.assert_allclose(picture(pipe), plain, atol=1e-3)
        kept = [name for name in pipe.components if name not in pipe._exclude_from_cpu_offload]
        offloaded = [getattr(pipe, name) for name in kept if isinstance(getattr(pipe, name), torch.nn.Module)]
        assert all(part.device.type in ("cpu", "meta") and hasattr(part, "_hf_hook") for part in offloaded)

"""Prompts of a call, and states in their place."""

import logging

import numpy as np
import pytest
import torch

from face0.errors import UsageError
from face0.model.pipeline import Face0Pipeline
from tests.fixtures.pipeline_calls import picture, seeded


def test_states_take_the_place_of_prompts(pipe: Face0Pipeline) -> None:
    text, without = pipe.encode_prompt("a photo of a cat", "cpu", 1, True, negative_prompt="blur")
    plain = picture(pipe, negative_prompt="blur")
    given = picture(pipe, prompt=None, prompt_embeds=text, negative_prompt_embeds=without)
    assert np.array_equal(plain, given)
    assert np.array_equal(plain, picture(pipe, prompt=None, prompt_embeds=text, negative_prompt="blur"))
    two = picture(pipe, prompt=None, prompt_embeds=text, num_images_per_prompt=2, generator=[seeded(), seeded()])
    np.testing.assert_allclose(two[0], two[1], atol=1e-5)


def test_prompts_are_encoded_without_the_other_parts_and_used_without_the_encoder(pipe: Face0Pipeline) -> None:
    text_parts = ("text_encoder", "tokenizer")
    encoder = Face0Pipeline(**{name: part if name in text_parts else None for name, part in pipe.components.items()})
    rest = Face0Pipeline(**{name: None if name in text_parts else part for name, part in pipe.components.items()})
    text, without = encoder.encode_prompt("a photo of a cat")
    made = picture(rest, prompt=None, prompt_embeds=text, negative_prompt_embeds=without)
    assert np.array_equal(made, picture(pipe))
    with pytest.raises(UsageError, match="no text encoder: give prompt_embeds"):
        picture(rest)
    with pytest.raises(UsageError, match="give negative_prompt_embeds"):
        picture(rest, prompt=None, prompt_embeds=text)
    assert picture(rest, prompt=None, prompt_embeds=text, guidance_scale=1.0).shape == (1, 64, 64, 3)


def test_clip_skip_leaves_out_layers(pipe: Face0Pipeline) -> None:
    assert np.array_equal(picture(pipe), picture(pipe, clip_skip=0))
    tokens = pipe.tokenizer("a cat", padding="max_length", max_length=77, return_tensors="pt").input_ids
    with torch.no_grad():
        hidden = pipe.text_encoder(tokens, output_hidden_states=True).hidden_states
        norm = getattr(pipe.text_encoder, "text_model", pipe.text_encoder).final_layer_norm
        assert torch.equal(pipe.encode_text(["a cat"], clip_skip=1), norm(hidden[-2]))
    assert (picture(pipe) != picture(pipe, clip_skip=1)).any()


@pytest.mark.parametrize("which", ["prompt", "negative_prompt"])
def test_what_is_cut_off_a_prompt_is_logged(pipe: Face0Pipeline, which: str, caplog: pytest.LogCaptureFixture) -> None:
    fits = " ".join(["photo"] * 73)
    with caplog.at_level(logging.WARNING):
        picture(pipe, **{which: fits})
    assert not caplog.messages
    with caplog.at_level(logging.WARNING):
        picture(pipe, **{which: f"{fits} of a doctor"})
    (message,) = caplog.messages
    assert "'of a doctor' has no place" in message
    assert which.replace("_", " ") in message


def test_other_attention_arguments_reach_the_unet(pipe: Face0Pipeline) -> None:
    passed = []
    handle = pipe.unet.register_forward_pre_hook(
        lambda _, args, kwargs: passed.append(kwargs.get("cross_attention_kwargs")), with_kwargs=True
    )
    picture(pipe, cross_attention_kwargs={"scale": 0.5})
    picture(pipe)
    handle.remove()
    assert passed == [{"scale": 0.5}] * 3 + [None] * 3

"""The arguments that all text-to-image pipelines of diffusers share, each seen to have its effect; and what is refused.

With test_{denoising,face_slots,prompts,safety,scheduling} beside it and tests/integration/test_pipeline_*: the
behaviours that diffusers' own common tests of pipelines ask for, in our words.
"""

import inspect

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline

from face0.errors import UsageError
from face0.model.guidance import Branch, Guidance
from face0.model.pipeline import Face0Pipeline
from tests.fixtures.models import DIM, tiny_pipeline, vector
from tests.fixtures.pipeline_calls import picture, seeded

LATENTS = (1, 4, 16, 16)


# --- Shape of the call


def test_the_call_takes_what_text_to_image_pipelines_take() -> None:
    parameters = inspect.signature(Face0Pipeline.__call__).parameters
    theirs = dict(inspect.signature(StableDiffusionPipeline.__call__).parameters)
    for name in ("self", "kwargs", "ip_adapter_image", "ip_adapter_image_embeds"):
        theirs.pop(name)
    assert set(theirs) <= set(parameters)
    assert all(parameter.default is not inspect.Parameter.empty for name, parameter in [*parameters.items()][1:])


def test_a_tuple_holds_what_the_output_holds(pipe: Face0Pipeline) -> None:
    images, flags = pipe("a cat", num_inference_steps=2, generator=seeded(), output_type="np", return_dict=False)
    output = pipe("a cat", num_inference_steps=2, generator=seeded(), output_type="np")
    assert np.array_equal(images, output.images)
    assert flags is None
    assert output.nsfw_content_detected is None


def test_arrays_tensors_and_pictures_hold_the_same_pixels(pipe: Face0Pipeline) -> None:
    array, tensor = picture(pipe), picture(pipe, output_type="pt")
    (shown,) = pipe("a photo of a cat", vector(0), num_inference_steps=3, generator=seeded()).images
    np.testing.assert_allclose(tensor.transpose(0, 2, 3, 1), array, atol=1e-6)
    assert np.abs(np.asarray(shown) - 255 * array[0]).max() <= 0.51
    latents = torch.from_numpy(picture(pipe, output_type="latent"))
    assert latents.shape == LATENTS
    decoded = pipe.image_processor.postprocess(pipe.decode(latents).detach(), output_type="np")
    np.testing.assert_allclose(decoded, array, atol=1e-6)


# --- Batches


def test_a_picture_is_the_same_alone_and_among_others(pipe: Face0Pipeline) -> None:
    prompts = ["a photo of a cat", "a dog", "very long " * 100]
    together = picture(pipe, prompt=prompts, generator=[seeded(i) for i in range(3)], negative_prompt=["", "x", "y"])
    alone = [
        picture(pipe, prompt=prompt, generator=seeded(i), negative_prompt=negative)
        for i, (prompt, negative) in enumerate(zip(prompts, ["", "x", "y"], strict=True))
    ]
    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-4)


def test_one_negative_prompt_is_for_all(pipe: Face0Pipeline) -> None:
    prompts, generator = ["a cat", "a dog"], lambda: [seeded(0), seeded(1)]
    one = picture(pipe, prompt=prompts, generator=generator(), negative_prompt="blur")
    each = picture(pipe, prompt=prompts, generator=generator(), negative_prompt=["blur", "blur"])
    assert np.array_equal(one, each)
    assert (one != picture(pipe, prompt=prompts, generator=generator())).any()


@pytest.mark.parametrize("prompts", [1, 2])
def test_pictures_of_a_prompt_lie_beside_each_other(pipe: Face0Pipeline, prompts: int) -> None:
    asked = ["a cat", "a dog"][:prompts]
    faces = np.stack([vector(i)[None] for i in range(prompts)])
    generators = [seeded(i) for i in range(2 * prompts)]
    several = picture(pipe, prompt=asked, face=faces, num_images_per_prompt=2, generator=generators)
    apart = picture(
        pipe,
        prompt=[prompt for prompt in asked for _ in range(2)],
        face=faces.repeat(2, axis=0),
        generator=[seeded(i) for i in range(2 * prompts)],
    )
    np.testing.assert_allclose(several, apart, atol=1e-5)


# --- Guidance


def test_the_guidance_scale_is_w(pipe: Face0Pipeline) -> None:
    plain = picture(pipe)
    assert np.array_equal(plain, picture(pipe, guidance_scale=7.5))
    assert np.array_equal(plain, picture(pipe, guidance=Guidance(w=7.5), guidance_scale=7.5, guidance_rescale=0.0))
    three = picture(pipe, guidance_scale=3.0, guidance_rescale=0.7)
    assert np.array_equal(three, picture(pipe, guidance=Guidance(w=3.0, rescale=0.7)))
    assert (three != plain).any()
    assert (three != picture(pipe, guidance_scale=3.0)).any()


def test_numbers_of_numpy_are_numbers(pipe: Face0Pipeline) -> None:
    told = {"guidance_scale": 3.0, "guidance_rescale": 0.5, "eta": 0.5, "num_images_per_prompt": 1}
    of_numpy = {
        "guidance_scale": np.int64(3), "guidance_rescale": np.float32(0.5), "eta": np.float32(0.5),
        "num_images_per_prompt": np.int64(1),
    }  # fmt: skip
    assert np.array_equal(picture(pipe, **of_numpy), picture(pipe, **told))


def test_there_is_no_guidance_up_to_1(pipe: Face0Pipeline) -> None:
    off = picture(pipe, guidance=Guidance(w=1.0))
    for scale in (0.0, 0.5, 1.0):
        assert np.array_equal(off, picture(pipe, guidance_scale=scale))
        assert not pipe.do_classifier_free_guidance


# --- Noise


def test_latents_take_the_place_of_noise(pipe: Face0Pipeline) -> None:
    noised = torch.randn(LATENTS, generator=seeded())
    assert np.array_equal(picture(pipe), picture(pipe, latents=noised, generator=None))
    assert picture(pipe, latents=torch.randn(1, 4, 8, 24)).shape == (1, 32, 96, 3)  # the size is theirs


def test_the_size_is_that_asked_for(pipe: Face0Pipeline) -> None:
    assert picture(pipe, height=32, width=96).shape == (1, 32, 96, 3)
    assert picture(pipe).shape == (1, 64, 64, 3)


# --- The same as StableDiffusionPipeline


def test_pictures_are_those_of_stable_diffusion_of_the_same_contexts() -> None:
    pipe = tiny_pipeline()
    theirs = StableDiffusionPipeline.from_pipe(pipe, requires_safety_checker=False)
    theirs.set_progress_bar_config(disable=True)
    faces, present = pipe.face_slots(vector(0)[None])
    contexts = pipe.contexts(["a photo of a cat"], faces, present, Guidance(), "blur")
    shared = {
        "guidance_scale": 3.0,
        "guidance_rescale": 0.7,
        "num_inference_steps": 10,
        "output_type": "np",
        "eta": 0.5,
    }
    made = theirs(
        prompt_embeds=contexts[Branch.BOTH],
        negative_prompt_embeds=contexts[Branch.NONE],
        generator=seeded(),
        height=64,
        width=64,
        **shared,
    ).images
    np.testing.assert_allclose(picture(pipe, negative_prompt="blur", **shared), made, atol=1e-5)


# --- Refused


STATES = torch.zeros(1, 77, 32)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"prompt": None}, "neither of prompt and prompt_embeds: give prompt or prompt_embeds"),
        ({"prompt_embeds": STATES}, "both of prompt and prompt_embeds"),
        ({"prompt": []}, r"prompt is \[\]: give a text"),
        ({"prompt": ["a", 3]}, "give a text, or a list of texts"),
        ({"prompt": 3}, "prompt is 3: give a text"),
        ({"negative_prompt": ["a", "b"]}, "2 texts as negative_prompt for 1 prompts: give one for each"),
        ({"negative_prompt": "x", "negative_prompt_embeds": STATES}, "both of negative_prompt and"),
        ({"prompt": None, "prompt_embeds": STATES[0]}, r"prompt_embeds is \(77, 32\): give a tensor \[prompts, 77, 32"),
        ({"prompt": None, "prompt_embeds": STATES[:, :, :5]}, r"\(1, 77, 5\): give"),
        ({"prompt": None, "prompt_embeds": STATES[:, :3]}, r"\(1, 3, 32\): give"),
        ({"prompt": None, "prompt_embeds": "a cat"}, "prompt_embeds is str"),
        ({"negative_prompt_embeds": STATES[:, :70]}, r"negative states \(1, 70, 32\) beside \(1, 77, 32\)"),
        ({"negative_prompt_embeds": STATES.expand(2, -1, -1)}, r"\(2, 77, 32\) beside"),
        ({"num_images_per_prompt": 0}, "num_images_per_prompt 0: give a whole number of at least 1"),
        ({"num_images_per_prompt": 1.5}, "num_images_per_prompt 1.5"),
        ({"num_inference_steps": 0}, "num_inference_steps 0: give a whole number from 1 to 1000"),
        ({"num_inference_steps": -3}, "num_inference_steps -3"),
        ({"num_inference_steps": 2.5}, "num_inference_steps 2.5"),
        ({"num_inference_steps": True}, "num_inference_steps True"),
        ({"height": 70}, "height 70: give a multiple of 8 pixels, such as 72"),
        ({"width": 4}, "width 4: give a multiple of 8 pixels, such as 8"),
        ({"height": 0}, "height 0: give a whole number"),
        ({"width": 64.0}, "width 64.0: give a whole number"),
        ({"latents": torch.zeros(2, 4, 16, 16)}, r"latents are \(2, 4, 16, 16\): .* \(1, 4, 16, 16\)"),
        ({"latents": torch.zeros(1, 4, 15, 16)}, "height 60: give a multiple"),
        ({"latents": torch.zeros(1, 4, 16, 16), "height": 32}, r"give a tensor \(1, 4, 8, 16\)"),
        ({"latents": torch.zeros(4, 16, 16)}, r"latents are \(4, 16, 16\)"),
        ({"generator": [seeded(), seeded()]}, "2 generators for 1 pictures: give one for each picture, or one"),
        ({"generator": 3}, "generator is 3: give a torch.Generator"),
        ({"output_type": "jpeg"}, "output_type 'jpeg': give one of pil, np, pt, latent"),
        ({"guidance_scale": float("nan")}, "guidance_scale nan: give a number"),
        ({"guidance_scale": "high"}, "guidance_scale 'high'"),
        ({"guidance_rescale": 1.5}, "guidance_rescale 1.5: give a number from 0 to 1"),
        ({"guidance": Guidance(w=3.0), "guidance_scale": 5.0}, r"w = 3.0, and guidance_scale says 5.0: give guidance="),
        ({"guidance": Guidance(), "guidance_rescale": 0.5}, "rescale = 0.0, and guidance_rescale says 0.5"),
        ({"clip_skip": 9}, "clip_skip 9: give a whole number from 0 to 1"),
        ({"clip_skip": -1}, "clip_skip -1"),
        ({"cross_attention_kwargs": 0.5}, "cross_attention_kwargs is 0.5: give a dict"),
        ({"eta": 2.0}, "eta 2.0: give a number from 0 to 1"),
        ({"sampler": "plms"}, "no sampler 'plms': give one of ddim"),
        ({"callback_on_step_end": 3}, "callback_on_step_end is 3: give a function"),
        ({"callback_on_step_end_tensor_inputs": ["timesteps"]}, "'timesteps': give one of latents, prompt_embeds"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_value_and_the_remedy(
    pipe: Face0Pipeline, settings: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        picture(pipe, **settings)


def test_a_face_may_be_left_out(pipe: Face0Pipeline) -> None:
    none = picture(pipe, face=None)
    assert np.array_equal(none, picture(pipe, face=np.zeros(DIM, np.float32)))
    assert (none != picture(pipe)).any()

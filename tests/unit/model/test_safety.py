"""The safety checker of a base is asked about every picture."""

import numpy as np
import pytest
import torch

from face0.errors import UsageError
from face0.model.pipeline import Face0Pipeline
from tests.fixtures.models import checked_pipeline, vector
from tests.fixtures.pipeline_calls import picture, seeded


@pytest.mark.parametrize("output_type", ["np", "pt", "pil"])
def test_pictures_that_it_flags_are_black_and_told(output_type: str) -> None:
    pipe = checked_pipeline()
    checker = pipe.safety_checker
    prompts = ["a cat", "a dog"]

    def made(threshold: float) -> tuple[np.ndarray, list[bool]]:
        checker.concept_embeds_weights.data[:] = threshold  # a cosine is always above -2 and below 2
        output = pipe(
            prompts,
            vector(0),
            num_inference_steps=2,
            generator=[seeded(0), seeded(1)],
            output_type=output_type,
        )
        return np.stack([np.asarray(image) for image in output.images]), output.nsfw_content_detected

    passed, flags = made(2.0)
    assert flags == [False, False]
    assert all(image.any() for image in passed)
    black, flags = made(-2.0)
    assert flags == [True, True]
    assert not black.any()


def test_only_those_that_it_flags_are_black(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = checked_pipeline()
    seen = {}

    def second(clip_input: torch.Tensor, images: list[np.ndarray]) -> tuple[list[np.ndarray], list[bool]]:
        seen.update(clip_input=clip_input, images=images)
        return images, [False, True]

    monkeypatch.setattr(pipe.safety_checker, "forward", second)
    settings = {"prompt": ["a cat", "a dog"], "num_inference_steps": 2}
    made = picture(pipe, generator=[seeded(0), seeded(1)], **settings)
    assert seen["clip_input"].shape == (2, 3, 32, 32)
    pipe.safety_checker = None
    free = picture(pipe, generator=[seeded(0), seeded(1)], **settings)
    assert np.array_equal(made[0], free[0])
    assert not made[1].any()


def test_latents_are_no_pictures_yet() -> None:
    output = checked_pipeline()("a cat", num_inference_steps=2, output_type="latent")
    assert output.nsfw_content_detected is None
    assert output.images.any()


def test_a_checker_without_its_extractor_is_refused() -> None:
    parts = checked_pipeline().components
    with pytest.raises(UsageError, match="needs its feature_extractor"):
        Face0Pipeline(**{**parts, "feature_extractor": None})


def test_a_function_may_take_its_place() -> None:
    pipe = checked_pipeline()
    pipe.safety_checker = lambda images, clip_input: (images, [True] * len(clip_input))
    output = pipe("a cat", num_inference_steps=1, output_type="np")
    assert output.nsfw_content_detected == [True]
    assert not output.images.any()

"""From requests to pixels: branches, samplers, batches, and what of an image may depend on what."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from face0.faces.edits import noisy
from face0.generation.renderer import Batches, Rendered, Renderer
from face0.generation.requests import Request
from face0.model.guidance import GUIDANCE_PRESETS, Branch
from face0.model.pipeline import Face0Pipeline
from face0.model.samplers import SAMPLERS
from tests.fixtures.models import checked_pipeline, tiny_pipeline, vector
from tests.fixtures.requests import request

# An image may differ by so many of 255 levels when others are rendered beside it: sums in another order.
TOLERANCE = 1


def pixels(rendered: Sequence[Rendered]) -> np.ndarray:
    return np.stack([image.pixels for image in rendered]).astype(int)


# --- Guidance


class Calls:
    """Counts what the U-Net is asked for."""

    def __init__(self, pipe: Face0Pipeline) -> None:
        self.rows: list[int] = []
        self.inputs: list[torch.Tensor] = []
        pipe.unet.register_forward_pre_hook(self._count, with_kwargs=True)

    def _count(self, _: object, args: tuple[torch.Tensor, ...], kwargs: dict[str, torch.Tensor]) -> None:
        self.rows.append(len(args[0]))
        self.inputs.append(kwargs["encoder_hidden_states"])


@pytest.mark.parametrize(
    ("settings", "calls"),
    [
        ({}, [2, 2, 2, 2]),
        ({"c": 0.55}, [3, 3, 3, 3]),
        ({"c": 0.3, "a": 0.4}, [4, 4, 4, 4]),
        ({"w": 1.0}, [1, 1, 1, 1]),
        ({"guide_from": 0.25, "guide_to": 0.75}, [1, 2, 2, 1]),
        ({"bare": True, "c": 0.3, "a": 0.4, "vector": None, "face_id": ""}, [2, 2, 2, 2]),
    ],
)
def test_only_branches_with_a_weight_are_evaluated_in_one_call_a_step(
    settings: dict[str, object], calls: list[int]
) -> None:
    pipe = tiny_pipeline()
    counted = Calls(pipe)
    Renderer(pipe)([request(steps=4, **settings)])
    assert counted.rows == calls


def test_contexts_hold_text_and_face_where_the_branch_says_so(pipe: Face0Pipeline, render: Renderer) -> None:
    contexts = render._contexts(request(w=3.0, c=0.3, a=0.4, negative_prompt="blur"))
    text, without = pipe.encode_text(["a photo of a man"]), pipe.encode_text(["blur"])
    face = pipe.face_projection(*pipe.face_slots(vector(0)[None]))
    for branch, context in contexts.items():
        assert torch.equal(context[:, :74], (text if branch.value[0] else without)[:, :74])
        assert torch.equal(context[:, 74:], face if branch.value[1] else torch.zeros_like(face))
    bare = render._contexts(request(bare=True, vector=None, face_id=""))
    assert torch.equal(bare[Branch.BOTH], text)


@pytest.mark.parametrize("preset", GUIDANCE_PRESETS)
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_preset_and_sampler_makes_an_image(render: Renderer, preset: str, sampler: str) -> None:
    guidance = GUIDANCE_PRESETS[preset]
    one, again, other = (
        render([request(seed, c=guidance.c, a=guidance.a, sampler=sampler, steps=6)])[0].pixels for seed in (0, 0, 1)
    )
    assert one.shape == (64, 64, 3)
    assert (one == again).all()
    assert (one != other).any()


# --- What an image depends on


def test_a_request_is_the_same_image_whatever_is_rendered_beside_it(render: Renderer) -> None:
    requests = [request(i, prompt=f"a photo of {i}", vector=vector(i)) for i in range(16)]
    alone = pixels([render([each])[0] for each in requests])
    for size in (2, 5, 16):
        batched = pixels([image for i in range(0, 16, size) for image in render(requests[i : i + size])])
        assert np.abs(batched - alone).max() <= TOLERANCE
    assert (pixels(render(requests)) == pixels(Renderer(tiny_pipeline())(requests))).all()


def test_prompt_face_seed_and_noise_on_the_face_each_matter(render: Renderer) -> None:
    changes = [{}, {"prompt": "a cat"}, {"vector": vector(1)}, {"seed": 1}, {"sigma": 0.5}, {"negative_prompt": "x"}]
    made = pixels([render([request(**{"seed": 0, **change})])[0] for change in changes])
    for one, other in itertools.combinations(made, 2):
        assert (one != other).any()


def test_noise_on_the_face_is_the_seeds(render: Renderer) -> None:
    (noised,) = render([request(sigma=0.5, seed=3)])
    (given,) = render([request(seed=3, vector=noisy(vector(0), 0.5, 3))])
    assert (noised.pixels == given.pixels).all()


def test_prompts_that_are_too_long_are_told(render: Renderer) -> None:
    long = " ".join(["photo"] * 80)
    lost = [
        render([request(prompt=prompt, **settings)])[0].tokens_lost
        for prompt, settings in [
            ("a cat", {}),
            (" ".join(["photo"] * 72), {}),
            (" ".join(["photo"] * 73), {}),
            (long, {}),
            (long, {"bare": True, "vector": None, "face_id": ""}),
        ]
    ]
    assert lost == [0, 0, 1, 8, 5]


def test_a_model_that_makes_no_numbers_makes_no_image() -> None:
    pipe = tiny_pipeline()
    with torch.no_grad():
        pipe.vae.decoder.conv_out.bias[0] = torch.nan
    (image,) = Renderer(pipe)([request()])
    assert image.pixels is None


def test_the_safety_checker_of_the_base_is_asked(render: Renderer) -> None:
    assert render([request()])[0].flagged is None
    pipe = checked_pipeline()
    flagged = []
    for threshold in (2.0, -2.0):  # a cosine is always below the one and above the other
        pipe.safety_checker.concept_embeds_weights.data[:] = threshold
        flagged += [image.flagged for image in Renderer(pipe)([request(0), request(1)])]
    assert flagged == [False, False, True, True]


# --- Batches


def test_alike_requests_go_together_and_batches_shrink_until_they_fit() -> None:
    tried: list[tuple[int, ...]] = []

    def render(requests: Sequence[Request]) -> list[Rendered]:
        tried.append(tuple(each.seed for each in requests))
        assert len({each.kind for each in requests}) == 1
        if len(requests) > 2 or requests[0].width > 500:
            raise MemoryError("out of memory")
        return [Rendered(pixels=None, flagged=None, tokens_lost=0) for _ in requests]

    batches = Batches(render, 8)
    mixed = [request(i, width=64 if i < 5 else 128) for i in range(10)] + [request(10, width=512)]
    done = {
        each.seed: image for batch in batches(mixed) for each, image in zip(batch.requests, batch.images, strict=True)
    }
    assert sorted(done) == list(range(11))
    assert [seed for seed, image in done.items() if isinstance(image, MemoryError)] == [10]
    tried.clear()
    list(batches([request(i) for i in range(6)]))
    assert tried == [(0, 1), (2, 3), (4, 5)]  # the size that fitted is remembered

"""What callbacks see of a denoising, and what they can change of it."""

from typing import Any

import numpy as np
import pytest
import torch
from diffusers.callbacks import MultiPipelineCallbacks, PipelineCallback, SDCFGCutoffCallback

from face0.errors import UsageError
from face0.generation.renderer import Renderer
from face0.model.guidance import Guidance
from face0.model.pipeline import Face0Pipeline
from tests.fixtures.models import tiny_pipeline
from tests.fixtures.pipeline_calls import picture, seeded
from tests.fixtures.requests import request

ALL = ["latents", "prompt_embeds", "negative_prompt_embeds"]
Tensors = dict[str, torch.Tensor]


@pytest.mark.parametrize("names", [[], ["latents"], ALL])
def test_a_callback_sees_the_tensors_that_it_names_after_each_step(pipe: Face0Pipeline, names: list[str]) -> None:
    calls = []

    def watch(shown: Face0Pipeline, step: int, t: torch.Tensor, tensors: Tensors) -> Tensors:
        assert shown is pipe
        calls.append((step, int(t), sorted(tensors)))
        return tensors

    made = picture(pipe, callback_on_step_end=watch, callback_on_step_end_tensor_inputs=names)
    assert np.array_equal(made, picture(pipe))
    assert [call[0] for call in calls] == [0, 1, 2]
    assert [call[1] for call in calls] == pipe.scheduler.timesteps.tolist()
    assert all(call[2] == sorted(names) for call in calls)
    assert pipe.num_timesteps == 3


def test_latents_that_a_callback_returns_are_gone_on_with(pipe: Face0Pipeline) -> None:
    def clear_last(shown: Face0Pipeline, step: int, t: torch.Tensor, tensors: Tensors) -> Tensors:
        return {"latents": torch.zeros_like(tensors["latents"])} if step == shown.num_timesteps - 1 else tensors

    assert not picture(pipe, callback_on_step_end=clear_last, output_type="latent").any()


def test_the_guidance_scale_can_be_changed_on_the_way(pipe: Face0Pipeline) -> None:
    def increase(shown: Face0Pipeline, step: int, t: torch.Tensor, tensors: Tensors) -> Tensors:
        shown._guidance_scale += 1.0
        return tensors

    made = picture(pipe, guidance_scale=2.0, callback_on_step_end=increase)
    assert pipe.guidance_scale == 2.0 + pipe.num_timesteps
    assert (made != picture(pipe, guidance_scale=2.0)).any()
    late = picture(pipe, guidance_scale=1.0, callback_on_step_end=increase)
    assert (late != picture(pipe, guidance_scale=1.0)).any()


@pytest.mark.parametrize("prompts", [["a cat"], ["a cat", "a dog"]])
def test_guidance_can_be_cut_off_as_diffusers_shows_it(pipe: Face0Pipeline, prompts: list[str]) -> None:
    def cut_off(shown: Face0Pipeline, step: int, t: torch.Tensor, tensors: Tensors) -> Tensors:
        if step == 0:
            shown._guidance_scale = 0.0
            tensors["prompt_embeds"] = tensors["prompt_embeds"].chunk(2)[-1]
        return tensors

    settings: dict[str, Any] = {"prompt": prompts, "generator": [seeded(i) for i in range(len(prompts))]}
    made = picture(pipe, callback_on_step_end=cut_off, callback_on_step_end_tensor_inputs=["prompt_embeds"], **settings)
    settings["generator"] = [seeded(i) for i in range(len(prompts))]
    assert np.array_equal(made, picture(pipe, guidance=Guidance(stop=0.2), **settings))


def test_callbacks_of_diffusers_work(pipe: Face0Pipeline) -> None:
    cut = SDCFGCutoffCallback(cutoff_step_ratio=None, cutoff_step_index=0)
    expected = picture(pipe, guidance=Guidance(stop=0.2))
    assert np.array_equal(picture(pipe, callback_on_step_end=cut), expected)
    assert np.array_equal(picture(pipe, callback_on_step_end=MultiPipelineCallbacks([cut])), expected)

    class Clear(PipelineCallback):
        tensor_inputs = ["latents"]  # noqa: RUF012 - as diffusers writes it

        def callback_fn(self, pipeline: Face0Pipeline, step: int, t: torch.Tensor, tensors: Tensors) -> Tensors:
            return {"latents": tensors["latents"] * 0}

    assert not picture(pipe, callback_on_step_end=Clear(), output_type="latent").any()


def test_prompts_can_be_changed_on_the_way(pipe: Face0Pipeline) -> None:
    text, without = pipe.encode_prompt("a dog", negative_prompt="blur")

    def change(which: str, tensor: torch.Tensor) -> np.ndarray:
        return picture(
            pipe,
            callback_on_step_end=lambda shown, step, t, tensors: {which: tensor},
            callback_on_step_end_tensor_inputs=[which],
        )

    positive, negative = change("prompt_embeds", text), change("negative_prompt_embeds", without)
    both = change("prompt_embeds", torch.cat([without, text]))
    assert all((made != picture(pipe)).any() for made in (positive, negative, both))
    assert (positive != both).any()
    assert (negative != both).any()


def test_an_interrupted_call_ends_after_the_step_and_leaves_nothing_behind() -> None:
    pipe, steps = tiny_pipeline(), []

    def stop(shown: Face0Pipeline, step: int, t: torch.Tensor, tensors: Tensors) -> Tensors:
        steps.append(step)
        shown._interrupt = step == 1
        return tensors

    uninterrupted = picture(pipe, num_inference_steps=5)
    assert (picture(pipe, num_inference_steps=5, callback_on_step_end=stop) != uninterrupted).any()
    assert steps == [0, 1]
    assert np.array_equal(picture(pipe, num_inference_steps=5), uninterrupted)
    (fresh,) = Renderer(tiny_pipeline())([request()])
    picture(pipe, callback_on_step_end=stop)
    (after,) = Renderer(pipe)([request()])
    assert np.array_equal(fresh.pixels, after.pixels)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (None, "returned None: return its callback_kwargs"),
        ({"latents": torch.zeros(2, 4, 16, 16)}, r"latents \(2, 4, 16, 16\): return \(1, 4, 16, 16\)"),
        ({"prompt_embeds": torch.zeros(3, 77, 32)}, r"prompt_embeds \(3, 77, 32\): return \(1, 77, 32\)"),
        ({"negative_prompt_embeds": torch.zeros(1, 5, 32)}, r"negative_prompt_embeds \(1, 5, 32\)"),
    ],
)
def test_what_a_callback_returns_amiss_is_refused(pipe: Face0Pipeline, returned: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        picture(pipe, callback_on_step_end=lambda *_: returned)


@pytest.mark.parametrize("sampler", [None, "euler"])
def test_a_callback_finds_the_levels_of_the_steps_at_the_pipelines_scheduler(sampler: str | None) -> None:
    pipe, levels = tiny_pipeline(), []
    own = pipe.scheduler

    def watch(shown: Face0Pipeline, step: int, t: torch.Tensor, tensors: Tensors) -> Tensors:
        levels.append((int(t), int(shown.scheduler.timesteps[step])))
        assert hasattr(shown.scheduler, "sigmas") == (sampler == "euler")
        if step == 2:
            raise KeyboardInterrupt
        return tensors

    with pytest.raises(KeyboardInterrupt):
        picture(pipe, num_inference_steps=4, sampler=sampler, callback_on_step_end=watch)
    assert len(levels) == 3
    assert all(given == there for given, there in levels)
    assert pipe.scheduler is own

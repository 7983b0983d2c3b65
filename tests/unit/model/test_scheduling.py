"""Schedulers that users set: those that fit take effect and forget their last call, others are refused."""

import logging

import diffusers
import numpy as np
import pytest
import torch

from face0.errors import UsageError
from face0.generation.renderer import Renderer
from face0.model.pipeline import Face0Pipeline
from face0.model.samplers import SAMPLERS
from face0.model.scheduling import FITTING, set_steps
from tests.fixtures.models import tiny_pipeline
from tests.fixtures.pipeline_calls import picture, seeded
from tests.fixtures.requests import request

REFUSED = [
    "BlockRefinementScheduler", "CMStochasticIterativeScheduler", "CogVideoXDDIMScheduler", "CogVideoXDPMScheduler",
    "DDIMInverseScheduler", "DDPMWuerstchenScheduler", "DPMSolverMultistepInverseScheduler",
    "EDMDPMSolverMultistepScheduler", "EDMEulerScheduler", "FlowMatchEulerDiscreteScheduler",
    "FlowMatchHeunDiscreteScheduler", "FlowMatchLCMScheduler", "IPNDMScheduler", "KarrasVeScheduler",
    "LTXEulerAncestralRFScheduler", "RePaintScheduler", "SCMScheduler", "ScoreSdeVeScheduler",
]  # fmt: skip


def of_kind(name: str, pipe: Face0Pipeline, **options: object) -> diffusers.SchedulerMixin:
    return getattr(diffusers, name).from_config(pipe.scheduler.config, **options)


@pytest.fixture
def own() -> Face0Pipeline:
    """A pipeline whose scheduler a test may change."""
    return tiny_pipeline()


@pytest.mark.parametrize("name", FITTING.split(", "))
def test_a_scheduler_that_is_set_takes_effect_and_holds_no_state_of_another_call(own: Face0Pipeline, name: str) -> None:
    before = picture(own, num_inference_steps=5)
    own.scheduler = of_kind(name, own)
    first = picture(own, num_inference_steps=5)
    assert np.isfinite(first).all()
    # Without noise of its own TCD goes as DDIM does
    assert (name in ("DDIMScheduler", "TCDScheduler")) == np.array_equal(first, before)
    picture(own, prompt="another", num_inference_steps=7, generator=seeded(1))
    assert np.array_equal(picture(own, num_inference_steps=5), first)
    two = picture(own, prompt=["a photo of a cat"] * 2, num_inference_steps=5, generator=[seeded(), seeded()])
    np.testing.assert_allclose(two, first.repeat(2, axis=0), atol=1e-4)  # with noise of their own too


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_sampler_is_taken_for_one_call(own: Face0Pipeline, sampler: str) -> None:
    before = picture(own)
    made = picture(own, sampler=sampler)
    assert (sampler == "ddim") == np.array_equal(made, before)
    assert type(own.scheduler) is diffusers.DDIMScheduler
    assert np.array_equal(picture(own), before)


def test_renders_of_requests_name_their_sampler_whatever_scheduler_is_set(own: Face0Pipeline) -> None:
    (before,) = Renderer(own)([request()])
    own.scheduler = of_kind("EulerDiscreteScheduler", own)
    (after,) = Renderer(own)([request()])
    assert np.array_equal(before.pixels, after.pixels)


@pytest.mark.parametrize("name", REFUSED)
def test_schedulers_of_other_models_are_refused_with_those_that_fit(own: Face0Pipeline, name: str) -> None:
    if not hasattr(diffusers, name):
        pytest.skip("this release of diffusers has none")
    own.scheduler = of_kind(name, own)
    with pytest.raises(UsageError, match=rf"{name} is for other models.*: set one of DDIMScheduler, .*UniPCMultistep"):
        picture(own)


def test_a_scheduler_that_is_made_to_follow_a_flow_is_refused(own: Face0Pipeline) -> None:
    for options in ({"prediction_type": "flow_prediction"}, {"use_flow_sigmas": True}):
        own.scheduler = of_kind("UniPCMultistepScheduler", own, **options)
        with pytest.raises(UsageError, match="follows a flow"):
            picture(own)


def test_clipped_latents_are_warned_of(own: Face0Pipeline, caplog: pytest.LogCaptureFixture) -> None:
    own.scheduler = diffusers.DDIMScheduler()
    with caplog.at_level(logging.WARNING):
        picture(own)
    assert any("DDIMScheduler clips latents to -1..1" in message for message in caplog.messages)


# --- Steps


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("DDPMScheduler", {"timesteps": [900, 500, 100]}, [900, 500, 100]),
        ("DPMSolverMultistepScheduler", {"timesteps": [900, 500, 100]}, [900, 500, 100]),
        ("EulerDiscreteScheduler", {"sigmas": [10.0, 3.0, 1.0, 0.0]}, None),
    ],
)
def test_levels_of_noise_can_be_given(
    own: Face0Pipeline, name: str, settings: dict[str, list[float]], expected: list[int] | None
) -> None:
    own.scheduler = of_kind(name, own)
    usual = picture(own)
    assert (picture(own, **settings) != usual).any()
    assert own.num_timesteps == len(own.scheduler.timesteps)
    if expected:
        assert own.scheduler.timesteps.tolist() == expected


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("DDIMScheduler", {"timesteps": [900, 500]}, "DDIMScheduler takes no timesteps: give num_inference_steps, or"),
        ("DDPMScheduler", {"sigmas": [9.0, 1.0]}, "DDPMScheduler takes no sigmas"),
        ("EulerDiscreteScheduler", {"sigmas": [9.0], "timesteps": [900]}, "both of timesteps and sigmas: give one"),
        ("DDPMScheduler", {"timesteps": [100, 500]}, r"timesteps \[100, 500\]: give them descending"),
        ("DPMSolverMultistepScheduler", {"timesteps": [1500, 500]}, "timesteps .*give others"),
        ("DPMSolverMultistepScheduler", {"timesteps": []}, "give others"),
        (
            "DDIMScheduler",
            {"num_inference_steps": 1001},
            "num_inference_steps 1001: give a whole number from 1 to 1000",
        ),
        ("LCMScheduler", {"num_inference_steps": 350}, "LCMScheduler cannot make num_inference_steps 350"),
        ("EulerDiscreteScheduler", {"eta": 0.5}, "eta 0.5: EulerDiscreteScheduler takes none; give 0, or set a DDIM"),
    ],
)
def test_steps_that_cannot_be_are_refused(
    own: Face0Pipeline, name: str, settings: dict[str, object], message: str
) -> None:
    own.scheduler = of_kind(name, own)
    with pytest.raises(UsageError, match=message):
        picture(own, **settings)


def test_eta_adds_noise_by_the_generator(own: Face0Pipeline) -> None:
    noised = picture(own, eta=1.0)
    assert (noised != picture(own)).any()
    assert np.array_equal(noised, picture(own, eta=1.0))


def test_the_steps_of_a_scheduler_may_be_more_than_asked_for(own: Face0Pipeline) -> None:
    heun = of_kind("HeunDiscreteScheduler", own)
    set_steps(heun, 3, device=torch.device("cpu"))
    own.scheduler = heun
    picture(own)
    assert own.num_timesteps == len(heun.timesteps) == 5

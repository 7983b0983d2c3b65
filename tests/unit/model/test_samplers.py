"""Every sampler makes the data of an exact denoiser, of every kind of base, at every number of steps, saved or not."""

import json
from pathlib import Path

import diffusers
import pytest
import torch

from face0.errors import UsageError
from face0.model.samplers import (
    SAMPLERS,
    STABLE_DIFFUSION,
    make_scheduler,
    refuse_unknown_levels,
    sampler_settings,
    samples_as_ever,
    saved_scheduler,
)
from face0.model.scheduling import set_steps
from tests.fixtures.denoisers import ExactDenoiser, base_schedulers

BASES = base_schedulers()
STEPS = (1, 4, 20, 50, 350, 1000)
# How far the deviation of the samples may be below that of the data, as a share; one step makes their mean alone.
SHORT = {1: 1.0, 4: 0.25, 20: 0.05, 50: 0.03, 350: 0.01, 1000: 0.005}


def steps_of(scheduler) -> list[int]:
    return [steps for steps in STEPS if steps <= scheduler.config.num_train_timesteps]


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("base", BASES)
def test_samples_have_the_moments_of_the_data(base: str, sampler: str) -> None:
    denoise = ExactDenoiser(BASES[base], means=(-0.8, 1.2), deviation=0.3)
    mean, deviation = denoise.moments
    for steps in steps_of(BASES[base]):
        made = denoise.sample(make_scheduler(sampler, BASES[base].config), steps)
        assert made.mean() == pytest.approx(mean, abs=0.03), steps
        assert 1 - SHORT[steps] <= made.std() / deviation < 1.01, steps
        if steps >= 50:  # two heaps, not one wide one
            assert (made - mean).abs().lt(0.3).float().mean() < 0.03


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("base", BASES)
def test_times_are_the_same_before_and_after_saving(base: str, sampler: str, tmp_path: Path) -> None:
    scheduler = BASES[base]
    scheduler.save_pretrained(tmp_path / "its")
    saved_scheduler(scheduler.config).save_pretrained(tmp_path / "ours")
    configs = [scheduler.config, type(scheduler).from_pretrained(tmp_path / "its").config]
    configs += [json.loads((tmp_path / name / "scheduler_config.json").read_text()) for name in ("its", "ours")]
    times = scheduler.config.num_train_timesteps
    for steps in steps_of(scheduler):
        first, *others = (set_steps(make_scheduler(sampler, config), steps) for config in configs)
        assert times > first.timesteps[0] >= (0.9 * times if sampler == "ddim" else times - 1)
        assert first.timesteps[-1] <= max(1, times / steps)
        for other in others:
            assert torch.equal(other.timesteps, first.timesteps)
            assert dict(other.config) == dict(first.config)
            assert torch.equal(other.alphas_cumprod, first.alphas_cumprod)


@pytest.mark.parametrize("times", [1000, 100, 37, 1])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_number_of_steps_can_be_set(sampler: str, times: int) -> None:
    scheduler = make_scheduler(sampler, {**STABLE_DIFFUSION, "num_train_timesteps": times})
    for steps in range(1, times + 1):
        set_steps(scheduler, steps)
        set_times = scheduler.timesteps.double()
        assert len(set_times) == steps == scheduler.num_inference_steps
        assert set_times[0] < times
        assert set_times[-1] >= 0
        assert (set_times.diff() < 0).all()


def test_nothing_is_clipped() -> None:
    for base in BASES.values():
        assert not make_scheduler("ddim", base.config).config.clip_sample
        assert not saved_scheduler(base.config).config.clip_sample
        assert not any(make_scheduler(sampler, base.config).config.get("thresholding") for sampler in SAMPLERS)


@pytest.mark.parametrize("steps", [10, 20, 30, 50, 100])
def test_ddim_at_usual_steps_is_diffusers_own_to_the_bit(steps: int) -> None:
    theirs = BASES["ddim"]
    theirs.set_timesteps(steps)
    ours = set_steps(make_scheduler("ddim", theirs.config), steps)
    assert torch.equal(ours.timesteps, theirs.timesteps)
    generator = torch.Generator().manual_seed(0)
    held = torch.randn(1, 4, 8, 8, generator=generator)
    for time in theirs.timesteps:
        predicted = torch.randn(held.shape, generator=generator)
        expected = theirs.step(predicted, time, held).prev_sample
        held = ours.step(predicted, time, held).prev_sample
        assert torch.equal(held, expected)


def test_ddim_takes_noise_of_its_own_too() -> None:
    scheduler = set_steps(make_scheduler("ddim", STABLE_DIFFUSION), 7)
    held = torch.ones(1, 4, 8, 8)
    made = [
        scheduler.step(held, scheduler.timesteps[0], held, eta=1.0, generator=torch.Generator().manual_seed(seed))[0]
        for seed in (0, 0, 1)
    ]
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])
    assert scheduler.num_inference_steps == 7


def test_a_loaded_ddim_is_right_at_any_number_of_steps() -> None:
    """As a pipeline uses it that was loaded from a folder."""
    denoise = ExactDenoiser(BASES["ddim"], means=(-0.8, 1.2), deviation=0.3)
    for steps in STEPS:
        made = denoise.sample(saved_scheduler(BASES["ddim"].config), steps)
        assert 1 - SHORT[steps] <= made.std() / denoise.moments[1] < 1.01


def test_diffusers_samples_right_from_what_is_saved() -> None:
    denoise = ExactDenoiser(BASES["euler"], means=(-0.8, 1.2), deviation=0.3)
    scheduler = saved_scheduler(BASES["euler"].config)
    scheduler.set_timesteps(50)
    assert type(scheduler) is diffusers.DDIMScheduler
    held = torch.randn(2000, 1, 1, 1, generator=torch.Generator().manual_seed(0))
    for time in scheduler.timesteps:
        held = scheduler.step(denoise(held, time), time, held).prev_sample
    assert held.std() == pytest.approx(denoise.moments[1], rel=0.05)


@pytest.mark.parametrize("steps", [0, -1, 1001])
def test_steps_that_cannot_be_are_refused(steps: int) -> None:
    for sampler in SAMPLERS:
        with pytest.raises(UsageError, match=f"num_inference_steps {steps}: give a whole number from 1 to 1000"):
            set_steps(make_scheduler(sampler, STABLE_DIFFUSION), steps)


@pytest.mark.parametrize(
    ("scheduler", "steps"),
    [
        (diffusers.EulerDiscreteScheduler(), 1),  # from time 0
        (diffusers.EulerDiscreteScheduler(timestep_spacing="leading", steps_offset=1), 1000),  # time 1000
        (diffusers.FlowMatchEulerDiscreteScheduler(), 20),
        (diffusers.EDMEulerScheduler(), 20),
    ],
    ids=["from the end", "beyond the start", "flow", "EDM"],
)
def test_other_schedulers_are_refused_where_they_leave_the_models_times(scheduler, steps: int) -> None:
    said = "begins at the level 0 |cannot make |leaves the levels |is for other models"
    with pytest.raises(UsageError, match=f"{type(scheduler).__name__} ({said})"):
        set_steps(scheduler, steps)


@pytest.mark.parametrize("name", ["LCMScheduler", "HeunDiscreteScheduler", "DDPMScheduler", "PNDMScheduler"])
def test_other_schedulers_are_used_as_they_are(name: str) -> None:
    scheduler = getattr(diffusers, name).from_config(BASES["ddim"].config)
    assert set_steps(scheduler, 20) is scheduler
    assert len(scheduler.timesteps) >= 20


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"prediction_type": "sample"}, "prediction_type 'sample'.* give a model of epsilon or v_prediction"),
        ({"beta_schedule": "sigmoid"}, "beta_schedule 'sigmoid'.* give a model with one of linear"),
        ({"use_flow_sigmas": True}, "use_flow_sigmas of the scheduler: its model follows a flow"),
        ({"rescale_betas_zero_snr": True}, "rescale_betas_zero_snr and the prediction_type epsilon"),
    ],
)
def test_models_that_cannot_be_sampled_are_refused(settings: dict[str, object], said: str) -> None:
    config = {**STABLE_DIFFUSION, **settings}
    for refused in (
        lambda: make_scheduler("ddim", config),
        lambda: saved_scheduler(config),
        lambda: refuse_unknown_levels(config),
    ):
        with pytest.raises(UsageError, match=said):
            refused()


def test_there_is_no_other_sampler() -> None:
    with pytest.raises(UsageError, match="no sampler 'plms': give one of ddim"):
        make_scheduler("plms", STABLE_DIFFUSION)


def test_which_images_are_as_ever() -> None:
    """Those of diffusers' DDIM with a file's settings, as version 0.2 took it, to its times and last level."""
    zero_snr = BASES["zero-snr"].config
    assert samples_as_ever("ddim", 50, STABLE_DIFFUSION)
    assert samples_as_ever("ddim", 10, BASES["ddim"].config)
    assert not samples_as_ever("ddim", 9, STABLE_DIFFUSION)
    assert not samples_as_ever("ddim", 350, STABLE_DIFFUSION)
    assert not samples_as_ever("ddim", 1000, STABLE_DIFFUSION)
    assert not samples_as_ever("euler", 50, STABLE_DIFFUSION)
    assert not samples_as_ever("ddim", 50, BASES["ddim-defaults"].config)
    assert not samples_as_ever("ddim", 50, BASES["euler"].config)
    assert not samples_as_ever("ddim", 50, zero_snr)  # it was clipped
    assert samples_as_ever("ddim", 50, {**zero_snr, "clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1})
    assert samples_as_ever("ddim", 0, STABLE_DIFFUSION)  # there is none


def test_settings_of_the_model_are_taken_over() -> None:
    config = {**STABLE_DIFFUSION, "trained_betas": [0.1, 0.2, 0.3], "num_train_timesteps": 3}
    for sampler in SAMPLERS:
        settings = sampler_settings(sampler, config)
        assert settings["trained_betas"] == [0.1, 0.2, 0.3]
        assert make_scheduler(sampler, config).alphas_cumprod[-1] == pytest.approx(0.9 * 0.8 * 0.7)

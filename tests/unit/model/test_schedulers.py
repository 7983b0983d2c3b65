"""What diffusers' schedulers get wrong at some numbers of steps, and ours do not."""

import diffusers
import pytest

from face0.model.samplers import STABLE_DIFFUSION, make_scheduler
from face0.model.schedulers import drop_surplus

LEVELS = {name: STABLE_DIFFUSION[name] for name in ("beta_start", "beta_end", "beta_schedule")}


@pytest.mark.parametrize("kind", ["EulerDiscreteScheduler", "DPMSolverMultistepScheduler", "UniPCMultistepScheduler"])
def test_the_time_too_many_of_trailing_spacing_is_dropped(kind: str) -> None:
    scheduler = getattr(diffusers, kind)(**LEVELS, timestep_spacing="trailing")
    scheduler.set_timesteps(61)
    drop_surplus(scheduler, 61)
    assert (len(scheduler.timesteps), len(scheduler.sigmas), scheduler.num_inference_steps) == (61, 62, 61)
    assert scheduler.timesteps[-1] >= 0
    assert scheduler.sigmas[-1] == 0
    assert (scheduler.sigmas.diff() < 0).all()


def test_ddim_goes_to_the_next_of_its_times_and_to_the_end() -> None:
    scheduler = make_scheduler("ddim", STABLE_DIFFUSION)
    for steps in (1, 7, 50, 350, 1000):
        scheduler.set_timesteps(steps)
        times = scheduler.timesteps.tolist()
        levels = [scheduler.alphas_cumprod[time] for time in times] + [scheduler.final_alpha_cumprod]
        held = scheduler.timesteps.new_ones(1, 1, 1, 1).double()
        for time, level, following in zip(times, levels, levels[1:], strict=False):
            clean = (held - (1 - level) ** 0.5 * 0.5) / level**0.5
            expected = following**0.5 * clean + (1 - following) ** 0.5 * 0.5
            assert scheduler.step(held.new_full((1, 1, 1, 1), 0.5), time, held).prev_sample.item() == pytest.approx(
                expected.item(), rel=1e-5
            )

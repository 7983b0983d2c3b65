"""diffusers' schedulers whose times are right at every number of steps. Imported on demand: diffusers takes seconds."""

from fractions import Fraction
from functools import wraps
from typing import Any

import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    SchedulerMixin,
    UniPCMultistepScheduler,
)

from face0.model.noise_levels import ddim_times


class Ddim(DDIMScheduler):
    """DDIM that begins with noise at every number of steps, and takes each step to the next of its times.

    diffusers' own goes T // steps times back (T: times of the training), which is not the next one unless the times are
    that far apart; and its leading spacing begins at T // 2 of 350 steps, and ends before it began at one.
    """

    num_inference_steps: Any

    def set_timesteps(self, num_inference_steps: int, device: Any = None) -> None:
        """Sets ``ddim_times``, and how far it is from each to the next, or to the clean end."""
        super().set_timesteps(num_inference_steps, device)
        config = self.config
        times = ddim_times(
            num_inference_steps, config.num_train_timesteps, config.timestep_spacing, config.steps_offset
        )
        self.timesteps = torch.tensor(times, device=device)
        self._gaps = {time: time - following for time, following in zip(times, [*times[1:], -1], strict=True)}

    @wraps(DDIMScheduler.step)  # whose signature tells pipelines what a step takes
    def step(self, model_output: torch.Tensor, timestep: Any, *args: Any, **options: Any) -> Any:
        """Takes a step. See diffusers."""
        steps = self.num_inference_steps
        if (gap := self._gaps.get(int(timestep))) is not None:
            # It goes back by T // steps, which is to be the gap.
            self.num_inference_steps = Fraction(self.config.num_train_timesteps, gap)
        try:
            return super().step(model_output, timestep, *args, **options)
        finally:
            self.num_inference_steps = steps


class _ByNoiseLevel:
    """The others, without the time too many: see ``drop_surplus``."""

    def set_timesteps(self, num_inference_steps: int, device: Any = None, **options: Any) -> None:
        """Sets the times. See diffusers."""
        super().set_timesteps(num_inference_steps, device, **options)  # type: ignore[misc]
        drop_surplus(self, num_inference_steps)


class Euler(_ByNoiseLevel, EulerDiscreteScheduler):
    """Euler's method over the noise levels."""


class DpmSolver(_ByNoiseLevel, DPMSolverMultistepScheduler):
    """DPM-Solver++."""


class UniPc(_ByNoiseLevel, UniPCMultistepScheduler):
    """UniPC."""


CLASSES = {"ddim": Ddim, "dpm++": DpmSolver, "euler": Euler, "unipc": UniPc}


def drop_surplus(scheduler: SchedulerMixin, steps: int) -> None:
    """Drops the time -1 that diffusers' trailing spacing ends with at some steps, as 61 of 1000 times, by rounding."""
    times = scheduler.timesteps
    if len(times) != steps + 1 or times[-1] >= 0:
        return
    scheduler.timesteps, scheduler.num_inference_steps = times[:-1], steps
    levels = getattr(scheduler, "sigmas", None)
    if levels is not None and len(levels) == steps + 2:
        scheduler.sigmas = torch.cat([levels[:steps], levels[-1:]])

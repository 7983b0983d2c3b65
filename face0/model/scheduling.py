"""Schedulers of diffusers in the pipeline: which of them fit, their steps, and what a step is given."""

import logging
from collections.abc import Sequence
from inspect import signature
from itertools import pairwise
from typing import Any

import torch
from diffusers import DDIMScheduler

from face0.errors import UsageError
from face0.model.call_inputs import share, whole_number
from face0.model.schedulers import Ddim, drop_surplus

_log = logging.getLogger(__name__)

# Of what this pipeline gives: the U-Net's prediction, the level of noise, the latents.
_STEP = {"model_output", "timestep", "sample"}
_USED = ("alphas_cumprod", "init_noise_sigma", "scale_model_input", "set_timesteps", "timesteps")
_PREDICTIONS = ("epsilon", "v_prediction", "sample")
# They have all this, and add noise to images, or take it out of the levels of other models.
_OTHERS = ("Inverse", "CogVideoX", "UnCLIP", "Wuerstchen")
FITTING = (
    "DDIMScheduler, DDPMScheduler, DEISMultistepScheduler, DPMSolverMultistepScheduler, DPMSolverSinglestepScheduler, "
    "EulerAncestralDiscreteScheduler, EulerDiscreteScheduler, HeunDiscreteScheduler, KDPM2AncestralDiscreteScheduler, "
    "KDPM2DiscreteScheduler, LCMScheduler, LMSDiscreteScheduler, PNDMScheduler, SASolverScheduler, TCDScheduler, "
    "UniPCMultistepScheduler"
)


def set_steps(
    scheduler: Any,
    steps: int | None,
    timesteps: Sequence[int] | None = None,
    sigmas: Sequence[float] | None = None,
    device: torch.device | str = "cpu",
) -> Any:
    """Sets the steps of a scheduler, by which it forgets all earlier ones.

    Args:
        scheduler: of diffusers.
        steps: how many; of no matter where ``timesteps`` or ``sigmas`` are given.
        timesteps: levels of noise in place of the scheduler's own, descending.
        sigmas: the same, as standard deviations of the noise.
        device: of the latents.

    Returns:
        The scheduler to take the steps with: the one given; for diffusers' DDIM one with its settings that is right at
        every number of steps.

    Raises:
        UsageError: it is a scheduler of other models, or cannot make these steps.
    """
    name = type(scheduler).__name__
    _check_fits(scheduler, name)
    own = _own_levels(scheduler, timesteps, sigmas)
    levels = scheduler.config.num_train_timesteps
    asked: dict[str, Any] = own or {"num_inference_steps": whole_number("num_inference_steps", steps, most=levels)}
    said = ", ".join(f"{key} {value!r:.60}" for key, value in asked.items())
    made = Ddim.from_config(scheduler.config) if type(scheduler) is DDIMScheduler else scheduler
    try:
        made.set_timesteps(**asked, device=device)
    except Exception as error:  # they raise nearly any type for steps that they cannot make
        raise UsageError(f"{name} cannot make {said}: {error}; give others, or set another scheduler") from error
    if not own:
        drop_surplus(made, asked["num_inference_steps"])
    if not len(made.timesteps) or made.timesteps.max() > levels - 1 or made.timesteps.min() < 0:
        raise UsageError(f"{name} leaves the levels 0 to {levels - 1} with {said}: give others, or fewer steps")
    if not own and made.timesteps.max() < (levels - 1) / 2:
        raise UsageError(
            f"{name} begins at the level {float(made.timesteps.max()):g} of 0 to {levels - 1} with {said}, not with "
            'noise: give other steps, or set it to timestep_spacing="trailing"'
        )
    if made is not scheduler:  # where callbacks look for them
        scheduler.timesteps, scheduler.num_inference_steps = made.timesteps, made.num_inference_steps
    return made


def _own_levels(
    scheduler: Any, timesteps: Sequence[int] | None, sigmas: Sequence[float] | None
) -> dict[str, list[float]]:
    """Levels of noise in place of the scheduler's, by the argument that it takes; empty: none are given."""
    if timesteps is not None and sigmas is not None:
        raise UsageError("both of timesteps and sigmas: give one")
    own = {key: list(value) for key, value in (("timesteps", timesteps), ("sigmas", sigmas)) if value is not None}
    for key, values in own.items():
        if key not in signature(scheduler.set_timesteps).parameters:
            raise UsageError(
                f"{type(scheduler).__name__} takes no {key}: give num_inference_steps, or set a scheduler that does, "
                "such as Euler"
            )
        if any(later >= earlier for earlier, later in pairwise(values)):
            raise UsageError(f"{key} {values!r:.80}: give them descending, from the noise to the picture")
    return own


def step_options(scheduler: Any, generator: Any, eta: float) -> dict[str, Any]:
    """What a step of this scheduler takes beside the prediction, for noise of its own.

    Raises:
        UsageError: it takes no ``eta``, and that is not 0.
    """
    share("eta", eta)
    taken = signature(scheduler.step).parameters
    if eta and "eta" not in taken:
        raise UsageError(f"eta {eta}: {type(scheduler).__name__} takes none; give 0, or set a DDIMScheduler")
    return {key: value for key, value in (("generator", generator), ("eta", eta)) if key in taken}


def _check_fits(scheduler: Any, name: str) -> None:
    lacking = [part for part in _USED if not hasattr(scheduler, part)]
    if not lacking:
        parameters = signature(scheduler.step).parameters.values()
        required = [p.name for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
        lacking = [f"a step without {part}" for part in required if part not in _STEP]
    prediction = scheduler.config.get("prediction_type", "epsilon") if not lacking else ""
    if not lacking and (prediction not in _PREDICTIONS or scheduler.config.get("use_flow_sigmas")):
        lacking = ["levels of noise, for it follows a flow"]
    if lacking or any(other in name for other in _OTHERS):
        why = f" (it lacks {lacking[0]})" if lacking else ""
        raise UsageError(f"{name} is for other models{why}: set one of {FITTING}")
    if scheduler.config.get("clip_sample"):
        _log.warning(
            "%s clips latents to -1..1, which flattens pictures: make it by from_config(..., clip_sample=False)", name
        )

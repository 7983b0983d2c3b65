"""The samplers by name: diffusers' schedulers, with the noise levels of the base model and all else set here.

Nothing else of a model's scheduler file is taken over: what a file leaves out, diffusers fills in for one scheduler and
not for another, and writes out when it is saved. ``docs/reference/samplers.md`` says what is set, and why.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from face0.errors import UsageError
from face0.model.noise_levels import leading_is_right

# The noise levels that a model was trained with and what it predicts: its own, with diffusers' defaults.
MODEL_SETTINGS: Mapping[str, Any] = MappingProxyType(
    {
        "num_train_timesteps": 1000,
        "beta_start": 0.0001,
        "beta_end": 0.02,
        "beta_schedule": "linear",
        "trained_betas": None,
        "prediction_type": "epsilon",
        "rescale_betas_zero_snr": False,
    }
)
_DDIM = {"clip_sample": False, "thresholding": False, "set_alpha_to_one": False, "steps_offset": 1}
_BY_LEVEL = {"timestep_spacing": "trailing", "final_sigmas_type": "zero", "use_karras_sigmas": False}
# None adds noise of its own on the way: an image follows from its first noise alone.
SAMPLERS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "ddim": _DDIM,  # the paper's
        "dpm++": {**_BY_LEVEL, "algorithm_type": "dpmsolver++", "solver_order": 2, "solver_type": "midpoint",
            "lower_order_final": True, "euler_at_final": False, "thresholding": False},
        "euler": {**_BY_LEVEL, "interpolation_type": "linear", "timestep_type": "discrete"},
        "unipc": {**_BY_LEVEL, "solver_order": 2, "solver_type": "bh2", "predict_x0": True, "lower_order_final": True,
            "thresholding": False},
    }
)  # fmt: skip
# As Stable Diffusion's own folders have it.
STABLE_DIFFUSION: Mapping[str, Any] = MappingProxyType(
    {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "timestep_spacing": "leading", **_DDIM}
)
_DDIM_DEFAULTS = {"clip_sample": True, "set_alpha_to_one": True, "steps_offset": 0, "timestep_spacing": "leading"}
_BETAS = ("linear", "scaled_linear", "squaredcos_cap_v2")
_PREDICTED = ("epsilon", "v_prediction")


def make_scheduler(sampler: str, config: Mapping[str, Any]) -> Any:
    """A sampler, of diffusers' ``SchedulerMixin``, that holds no state of another call.

    Args:
        sampler: one of SAMPLERS.
        config: of the model's own scheduler, of whatever kind.

    Raises:
        UsageError: no such sampler, or it cannot go through the model's noise levels.
    """
    if sampler not in SAMPLERS:
        raise UsageError(f"no sampler {sampler!r}: give one of {', '.join(SAMPLERS)}")
    refuse_unknown_levels(config)
    from face0.model.schedulers import CLASSES  # here, for it takes seconds, and a manifest needs the names only

    return CLASSES[sampler](**sampler_settings(sampler, config))


def model_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of a scheduler's settings is the model's: its noise levels, and what it predicts."""
    return {name: config.get(name, default) for name, default in MODEL_SETTINGS.items()}


def sampler_settings(sampler: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """All settings of a sampler for a model, by diffusers' names. The arguments are ``make_scheduler``'s."""
    of_model = model_settings(config)
    settings = {**of_model, **SAMPLERS[sampler]}
    if sampler == "ddim":
        # A model that knows noise alone must begin there, and one that was made for few steps where it says.
        trailing = of_model["rescale_betas_zero_snr"] or config.get("timestep_spacing") == "trailing"
        settings["timestep_spacing"] = "trailing" if trailing else "leading"
    return settings


def saved_scheduler(config: Mapping[str, Any]) -> Any:
    """The scheduler that is written into a model folder: diffusers' DDIM, for which diffusers needs nothing of ours.

    Args:
        config: of the base's scheduler.

    Raises:
        UsageError: see ``refuse_unknown_levels``.
    """
    refuse_unknown_levels(config)
    from diffusers import DDIMScheduler

    return DDIMScheduler(**sampler_settings("ddim", config))


def steps_refusal(steps: int, times: int) -> str | None:
    """Why no sampler can take so many steps through so many noise levels, with the remedy; None: each of SAMPLERS can.

    >>> steps_refusal(1001, 1000)
    'steps 1001: give 1 to 1000, the noise levels of the model'
    """
    return None if 1 <= steps <= times else f"steps {steps}: give 1 to {times}, the noise levels of the model"


def refuse_unknown_levels(config: Mapping[str, Any]) -> None:
    """Raises UsageError if a scheduler's file has other noise levels or predictions than are known here."""
    betas, predicted = (config.get(name, MODEL_SETTINGS[name]) for name in ("beta_schedule", "prediction_type"))
    if predicted not in _PREDICTED:
        raise UsageError(f"prediction_type {predicted!r} of the scheduler: give a model of {' or '.join(_PREDICTED)}")
    if config.get("trained_betas") is None and betas not in _BETAS:
        raise UsageError(f"beta_schedule {betas!r} of the scheduler: give a model with one of {', '.join(_BETAS)}")
    if config.get("use_flow_sigmas"):
        raise UsageError("use_flow_sigmas of the scheduler: its model follows a flow; give a model of diffusion")
    if config.get("rescale_betas_zero_snr") and predicted == "epsilon":
        raise UsageError(
            "the scheduler has rescale_betas_zero_snr and the prediction_type epsilon: from noise alone epsilon says "
            "nothing of the image; set one of them right in scheduler_config.json"
        )


def samples_as_ever(sampler: str, steps: int, config: Mapping[str, Any]) -> bool:
    """Whether steps and settings are those that version 0.2 and before took too: the ids of such requests stay.

    Args:
        sampler: one of SAMPLERS.
        steps: how many.
        config: of the model's scheduler, as its file has it.
    """
    if sampler != "ddim":
        return False
    settings = sampler_settings(sampler, config)
    times = settings["num_train_timesteps"]
    if steps_refusal(steps, times):
        return True  # there is no image of it, now or before
    same = all(config.get(name, default) == settings[name] for name, default in _DDIM_DEFAULTS.items())
    if settings["timestep_spacing"] == "leading":
        return same and not config.get("thresholding") and leading_is_right(steps, times, settings["steps_offset"])
    return same and not config.get("thresholding") and times % steps == 0

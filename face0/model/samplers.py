"""The samplers: diffusers' schedulers by name, with the noise schedule and the prediction type of the base model."""

from collections.abc import Mapping
from typing import Any

from face0.errors import UsageError

# None adds noise of its own on the way: an image follows from its first noise alone.
SAMPLERS: Mapping[str, str] = {
    "ddim": "DDIMScheduler",  # the paper's
    "dpm++": "DPMSolverMultistepScheduler",
    "euler": "EulerDiscreteScheduler",
    "unipc": "UniPCMultistepScheduler",
}


def make_scheduler(sampler: str, config: Mapping[str, Any]) -> Any:
    """A sampler, of diffusers' ``SchedulerMixin``, that holds no state of another call.

    Args:
        sampler: one of SAMPLERS.
        config: of the model's own scheduler.

    Raises:
        UsageError: no such sampler.
    """
    if sampler not in SAMPLERS:
        raise UsageError(f"no sampler {sampler!r}: give one of {', '.join(SAMPLERS)}")
    import diffusers  # here, for it takes seconds, and a job that writes a manifest needs the names only

    return getattr(diffusers, SAMPLERS[sampler]).from_config(config)

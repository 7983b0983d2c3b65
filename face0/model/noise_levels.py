"""Which noise levels, or times, DDIM goes through. Imports the standard library only."""

NOISE_FROM = 0.9  # of the times of a training: from there on up a model of Stable Diffusion sees nearly noise alone


def leading_is_right(steps: int, times: int, offset: int) -> bool:
    """Whether times a whole number apart, counted up from the clean end, begin with noise and lie below ``times``."""
    return NOISE_FROM * times <= (steps - 1) * (times // steps) + offset < times


def ddim_times(steps: int, times: int, spacing: str, offset: int = 0) -> list[int]:
    """The times of DDIM, highest first; never two alike.

    Args:
        steps: how many, 1 to ``times``.
        times: with which the model was trained.
        spacing: of diffusers: "leading", as Stable Diffusion's own, where ``leading_is_right``; "linspace", from the
            highest time to 0; and "trailing", from the highest down to the last before the clean end.
        offset: that is added to leading times.
    """
    if spacing == "leading" and leading_is_right(steps, times, offset):
        return [i * (times // steps) + offset for i in reversed(range(steps))]
    if spacing == "linspace" and steps > 1:
        return [round(i * (times - 1) / (steps - 1)) for i in reversed(range(steps))]
    return [round(times - i * times / steps) - 1 for i in range(steps)]

"""Axes of plots and charts: a range of values with ticks at round numbers."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Axis:
    """A range of values.

    Attributes:
        low: at one end.
        high: at the other.
        ticks: round numbers within.
    """

    low: float
    high: float
    ticks: tuple[float, ...]

    def share(self, value: float) -> float:
        """How far along the axis a value is, 0..1; one beyond an end stands at that end."""
        return min(max((value - self.low) / ((self.high - self.low) or 1.0), 0.0), 1.0)


def round_axis(lowest: float, highest: float, low: float | None = None, high: float | None = None) -> Axis:
    """An axis that holds the values, with ticks at round numbers; an end that is not given is one of them.

    >>> round_axis(0.13, 0.87)
    Axis(low=0.0, high=1.0, ticks=(0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0))
    """
    start, end = lowest if low is None else low, highest if high is None else high
    rough = ((end - start) or abs(end) or 1.0) / 4
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    first = math.floor(start / step + 1e-9) if low is None else math.ceil(start / step - 1e-9)
    last = math.ceil(end / step - 1e-9) if high is None else math.floor(end / step + 1e-9)
    ticks = tuple(i * step for i in range(first, last + 1))
    return Axis(ticks[0] if low is None else low, ticks[-1] if high is None else high, ticks)

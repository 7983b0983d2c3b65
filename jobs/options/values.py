"""Kinds of values of options, each parsed from its text or refused with the reason."""

import argparse
from collections.abc import Callable

from face0.tasks.failure_budget import FailureBudget
from schemas.failures import Reason


def failure_budget(text: str) -> FailureBudget:
    """Parses ``100`` or ``1%``."""
    share = text.endswith("%")
    value = _number(text.removesuffix("%"), float)
    if not value >= 0 or (share and value > 100):
        raise argparse.ArgumentTypeError(f"{text!r} is not a count, or a share from 0% to 100%")
    return FailureBudget(value / 100 if share else value, share)


def at_least(low: float, kind: Callable[[str], float] = int) -> Callable[[str], float]:
    """A parser of numbers that refuses those below ``low``."""
    return between(low, float("inf"), kind)


def between(low: float, high: float, kind: Callable[[str], float] = int) -> Callable[[str], float]:
    """A parser of numbers that refuses those below ``low`` and above ``high``."""

    def parse(text: str) -> float:
        value = _number(text, kind)
        if not value >= low:
            raise argparse.ArgumentTypeError(f"{text} is below {low:g}")
        if value > high:
            raise argparse.ArgumentTypeError(f"{text} is above {high:g}")
        return value

    return parse


def size(text: str) -> tuple[int, int]:
    """Parses ``512`` or ``640x480``: width and height."""
    width, _, height = text.lower().partition("x")
    return int(_number(width, int)), int(_number(height or width, int))


def reason(text: str) -> Reason:
    """Parses a failure reason."""
    if text not in list(Reason):
        raise argparse.ArgumentTypeError(f"no reason {text!r}: give one of {', '.join(Reason)}")
    return Reason(text)


def numbers(count: int) -> Callable[[str], tuple[float, ...]]:
    """A parser of so many numbers with commas between them."""

    def parse(text: str) -> tuple[float, ...]:
        values = tuple(_number(part, float) for part in text.split(","))
        if len(values) != count:
            raise argparse.ArgumentTypeError(f"{text!r} is not {count} numbers with commas between them")
        return values

    return parse


def _number(text: str, kind: Callable[[str], float]) -> float:
    try:
        return kind(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a {'whole ' if kind is int else ''}number") from error

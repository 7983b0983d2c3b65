"""Kinds of values of options, each parsed from its text or refused with the reason."""

import argparse
import codecs
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


def ending(text: str) -> str:
    """Parses the ending of a file, as ``txt``, ``.txt`` or ``blip.txt``."""
    name = text.removeprefix("*").removeprefix(".").lower()
    if not name or "/" in name:
        raise argparse.ArgumentTypeError(f"{text!r} is no ending of a file: give one as txt")
    return name


def numbers(count: int) -> Callable[[str], tuple[float, ...]]:
    """A parser of so many numbers with commas between them."""

    def parse(text: str) -> tuple[float, ...]:
        values = tuple(_number(part, float) for part in text.split(","))
        if len(values) != count:
            raise argparse.ArgumentTypeError(f"{text!r} is not {count} numbers with commas between them")
        return values

    return parse


def names(text: str) -> tuple[str, ...]:
    """Parses names with commas between them."""
    values = tuple(part.strip() for part in text.split(","))
    if not all(values) or len(set(values)) < len(values):
        raise argparse.ArgumentTypeError(f"{text!r} is not names with commas between them, each once")
    return values


def encoding(text: str) -> str:
    """Parses the name of an encoding of text that Python knows, and gives it in one spelling."""
    try:
        info = codecs.lookup(text)
        "".encode(info.name)  # not one of bytes to bytes, as hex
    except LookupError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no encoding: give one as cp1252, shift_jis or utf-16") from error
    return info.name


def header_value(text: str) -> str:
    """Parses what can be sent in a header of HTTP."""
    if not text.strip() or not text.isascii() or not text.isprintable():
        raise argparse.ArgumentTypeError(f"{text!r} is not a line of printable ASCII")
    return text.strip()


def _number(text: str, kind: Callable[[str], float]) -> float:
    try:
        return kind(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a {'whole ' if kind is int else ''}number") from error

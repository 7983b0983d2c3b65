"""Figures in words, the same on every page."""

import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from face0.evaluation.measures import Measure


def number(value: float | None) -> str:
    """A figure to three digits after the point; empty where there is none: None or NaN."""
    return "" if value is None or math.isnan(value) else f"{value:z.3f}"


def value(row: "Measure") -> str:
    """The figure of a measure, or why there is none."""
    return str(row.reason or "") if row.value is None else number(row.value)


def interval(low: float | None, high: float | None) -> str:
    """Both ends of an interval; empty where one is missing."""
    return f"{number(low)} to {number(high)}" if number(low) and number(high) else ""


def percent(share: float | None) -> str:
    """A share of 0..1 in whole per cent; a question mark where there is none."""
    return "?" if share is None else f"{100 * share:.0f} %"


def thousands(value: int) -> str:
    """A whole number with commas at the thousands."""
    return f"{value:,}"


def size(count: int) -> str:
    """A number of bytes in the unit that suits it.

    >>> size(0), size(1_382_531), size(2_500_000_000)
    ('0.0 kB', '1.4 MB', '2.5 GB')
    """
    units = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"))
    unit, name = next((pair for pair in units if count >= pair[0]), (1e3, "kB"))
    return f"{count / unit:,.1f} {name}"


def count_of(part: int, total: int) -> str:
    """A count, with what it is of a total in per cent; 0 alone where it is none."""
    return f"{part:,} ({percent(part / total)})" if part else "0"


def sentence(text: str) -> str:
    """A phrase as a sentence: a capital before it, a full stop behind."""
    return f"{text[:1].upper()}{text[1:]}."


def natural_key(text: str) -> list[tuple[int, str]]:
    """A key that sorts face-2 before face-10."""
    parts = re.split(r"([0-9]+)", text.casefold())
    return [(len(part.lstrip("0")), part.lstrip("0")) if i % 2 else (0, part) for i, part in enumerate(parts)]

"""A measure with how sure it is, and the tidy table of many: see ``schemas.measures``."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from face0.statistics.resampling import Estimate
from schemas.measures import MEASURES, Unmeasured

VECTORS, PROMPTS_AND_VECTORS, CHARACTERS = "vectors", "prompts and vectors", "characters"


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A row of ``schemas.measures.MEASURES``, which says what the fields are. None: there is no such, or not enough."""

    measure: str
    encoder: str = ""
    arm: str
    settings: str = ""
    against: str | None = None
    prompt: str | None = None
    group: str | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    error: float | None = None
    null_value: float | None = None
    p: float | None = None
    q: float | None = None
    smallest_effect: float | None = None
    images: int = 0
    reference: str = ""
    over: str = VECTORS
    reason: Unmeasured | None = None

    @property
    def arm_title(self) -> str:
        """Name and settings of the arm."""
        return arm_title(self.arm, self.settings)


def arm_title(name: str, settings: str) -> str:
    """An arm in words: its name, with the settings that vary between arms of that name, if there are any."""
    return f"{name} ({settings})" if settings else name


def measured(estimate: Estimate, **fields: Any) -> Measure:
    """A measure of an estimate; numbers that are NaN become None."""
    numbers = {**asdict(estimate), **fields}
    return Measure(**{name: _plain(value) for name, value in numbers.items()})


def replaced(measure: Measure, **fields: Any) -> Measure:
    """The measure with other values in some fields; numbers that are NaN become None."""
    return replace(measure, **{name: _plain(value) for name, value in fields.items()})


def measures_table(measures: Iterable[Measure]) -> pa.Table:
    """The measures as a table of MEASURES, a row each."""
    return pa.Table.from_pylist([asdict(measure) for measure in measures], schema=MEASURES)


def as_records(measures: Iterable[Measure]) -> list[dict[str, Any]]:
    """The measures as JSON values, all fields of each."""
    return [asdict(measure) for measure in measures]


def json_numbers(value: Any) -> Any:
    """JSON values in which numbers that JSON does not have, as NaN, are None."""
    if isinstance(value, Mapping):
        return {name: json_numbers(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [json_numbers(item) for item in value]
    return _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value

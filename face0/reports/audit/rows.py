"""What the sections of the page share: the measures' names, and their rows as plots."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from face0.evaluation.audit.analysis import Audit
from face0.evaluation.measures import Measure
from face0.evaluation.notes import said_once
from face0.reports import pages
from face0.reports.plots import Interval, interval_plot


class Wording(NamedTuple):
    """What a measure is called, and how to read it; docs/reference/measures.md has the definitions."""

    name: str
    meaning: str


WORDINGS = {
    "leakage": Wording(
        "leakage", "share of faces whose prompt a classifier told right, that had seen no such seed or vector"
    ),
    "energy_distance": Wording(
        "energy distance", "of a prompt's faces to those of the other prompts; 0: the same distribution"
    ),
    "variance_share": Wording(
        "share of variance", "share of the variance of the faces that is due to the words, the vector, the seed"
    ),
    "follows_input": Wording(
        "follows the input", "probability that a face is more like its own vector than like another's"
    ),
    "follows_vector": Wording("follows the vector", "probability that faces of one vector are more alike than of two"),
    "similarity": Wording("similarity", "mean cosine of two faces of one prompt"),
    "vendi_score": Wording("Vendi score", "so many wholly different faces would be as diverse"),
    "effective_rank": Wording("effective rank", "along so many directions faces differ"),
    "distance_to_reference": Wording(
        "distance to the reference", "energy distance of a prompt's faces; 0: the same distribution"
    ),
    "cluster_entropy": Wording("entropy over clusters", "bits, of a prompt's faces over clusters of the reference"),
    "divergence_from_others": Wording("divergence from the others", "Jensen-Shannon, bits, over the clusters"),
    "divergence_from_reference": Wording("divergence from the reference", "Jensen-Shannon, bits, over the clusters"),
    "face_found": Wording("face found", "share of the generated images with at least one face"),
    "text_alignment": Wording("text alignment", "CLIP cosine of image and prompt"),
    "group_share": Wording(
        "share of the group", "by a probe whose errors on labelled faces are corrected and propagated"
    ),
    "group_share_whatever_is_missing": Wording(
        "share, whatever is missing", "bounds: images without a face all in, or all out"
    ),
    "probe_accuracy": Wording("accuracy of the probe", "cross-validated on labelled faces, balanced"),
}


def render(template: str, **values: Any) -> Markup:
    """The markup of one of the audit's templates, which may use WORDINGS as ``wordings``."""
    return pages.render(f"audit/{template}", wordings=WORDINGS, **values)


def means(audit: Audit, measure: str, **fields: Any) -> list[Measure]:
    """The rows of a measure over all prompts of each arm, without those about differences of arms."""
    return audit.find(measure, prompt=None, against=None, **fields)


def contrasts(audit: Audit, measure: str, encoder: str) -> list[Measure]:
    """The rows of a measure about differences of two arms."""
    return [row for row in audit.find(measure, encoder=encoder, prompt=None) if row.against is not None]


def first_of(rows: Iterable[Measure], field: str) -> Any:
    """The first value of a field that is not empty; None without one."""
    return next((value for row in rows if (value := getattr(row, field)) not in (None, "")), None)


def by_arm(rows: Iterable[Measure]) -> list[list[Measure]]:
    """The rows of each arm, in the order in which arms come first."""
    arms: dict[tuple[str, str], list[Measure]] = {}
    for row in rows:
        arms.setdefault((row.arm, row.settings), []).append(row)
    return list(arms.values())


def by_distance(row: Measure) -> float:
    """A key that sorts the largest value first, and last what has none."""
    return float("inf") if row.value is None else -row.value


def measure_plot(
    rows: Sequence[Measure],
    name: Callable[[Measure], str] = lambda row: row.arm_title,
    *,
    low: float | None = None,
    high: float | None = None,
    reference: float | None = None,
    digits: int = 2,
) -> Markup:
    """An interval plot of the rows that have a value, see ``interval_plot``, and why the others have none.

    A row without an interval is a dot alone.
    """
    intervals = [
        Interval(
            name=name(row),
            low=row.value if row.low is None else row.low,
            value=row.value,
            high=row.value if row.high is None else row.high,
        )
        for row in rows
        if row.value is not None
    ]
    plot = interval_plot(intervals, low=low, high=high, reference=reference, digits=digits)
    reasons = said_once((name(row), f"{row.reason}.") for row in rows if row.value is None and row.reason is not None)
    return plot + pages.render("plots/unmeasured.html", reasons=reasons)

"""The section of measures: a table of their distributions, and plots by face and by prompt."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup

from face0.reports.charts import histograms
from face0.reports.formats import natural_key
from face0.reports.generation.images import MEASURES, face_names
from face0.reports.pages import render
from face0.reports.plots import Interval, bar_plot, interval_plot

SIMILARITIES = "similarity", "judge_similarity"
PLOTTED = 25  # faces, prompts or labels


def measures(images: pa.Table) -> Markup:
    """The section of the measures of images, a row each."""
    labelled = any(images["label"].to_pylist())
    judged = "judge_similarity" if images["judge_similarity"].null_count < images.num_rows else "similarity"
    return render(
        "generation/measures.html",
        labelled=labelled,
        distributions=list(_distributions(images)),
        charts=[_by_label(images, name) for name in SIMILARITIES],
        groups=[
            _by_name("face", face_names(images), images, judged),
            _by_name("prompt", images["prompt"].to_pylist(), images, judged),
        ],
        judged=MEASURES[judged][1],
        measures=MEASURES.values(),
    )


def _distributions(images: pa.Table) -> Iterator[dict[str, Any]]:
    """Describes each label by each measure that an image of it has."""
    for label in sorted(set(images["label"].to_pylist()), key=natural_key):
        chosen = images.filter(pc.equal(images["label"], label))
        for name in MEASURES:
            values = chosen[name].drop_null().cast(pa.float64()).to_numpy()
            if len(values):
                yield {
                    "label": label,
                    "measure": MEASURES[name][1],
                    "images": len(values),
                    "mean": values.mean(),
                    "deviation": values.std(ddof=1) if len(values) > 1 else None,
                    "quantiles": np.quantile(values, (0.05, 0.5, 0.95)).tolist(),
                }


def _by_label(images: pa.Table, measure: str) -> Markup:
    """The distribution of a measure of each label; nothing if no image has it."""
    labels = sorted(set(images["label"].to_pylist()), key=natural_key)[:PLOTTED]
    by_label = {label: images.filter(pc.equal(images["label"], label))[measure] for label in labels}
    values = {
        label or ("(no label)" if len(by_label) > 1 else "all images"): column.drop_null().cast(pa.float64()).to_numpy()
        for label, column in by_label.items()
    }
    title = f"{MEASURES[measure][1].capitalize()} of the images"
    return histograms(title, {label: column[np.isfinite(column)] for label, column in values.items()})


def _by_name(kind: str, names: Sequence[str], images: pa.Table, measure: str) -> dict[str, Any]:
    """Plots over the groups of images that share a name: the measure, and how many have no face found."""
    groups: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        groups.setdefault(name, []).append(i)
    values = images[measure].cast(pa.float64()).to_numpy()
    missing = images["faces_found"].to_numpy() == 0
    intervals = sorted(_intervals(groups, values), key=lambda row: row.value)
    shares = [(name, float(missing[members].mean())) for name, members in groups.items() if missing[members].any()]
    shares.sort(key=lambda row: (-row[1], row[0]))
    if len(intervals) < 2:
        intervals = []
    if len(groups) < 2:
        shares = []
    return {
        "kind": kind,
        "intervals": interval_plot(intervals[:PLOTTED]),
        "intervals_of": _of(intervals),
        "shares": bar_plot(shares[:PLOTTED], high=1.0),
        "shares_of": _of(shares),
    }


def _intervals(groups: dict[str, list[int]], values: np.ndarray) -> Iterator[Interval]:
    """Mean and the middle 80 % of the values [n] of each group that has any."""
    for name, members in groups.items():
        present = values[members][~np.isnan(values[members])]
        if len(present):
            low, high = np.quantile(present, (0.1, 0.9))
            yield Interval(name=name, low=float(low), value=float(present.mean()), high=float(high))


def _of(rows: Sequence[Any]) -> str:
    return f" ({PLOTTED} of {len(rows):,})" if len(rows) > PLOTTED else ""

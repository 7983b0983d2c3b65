"""The page about a training: MODEL/report.html, of what the folder holds: lineage, logs, grids of samples."""

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from markupsafe import Markup
from PIL import Image

from face0.io.folder import Folder
from face0.model.lineage import LINEAGE, Lineage
from face0.reports.charts import Curve, curve_chart
from face0.reports.formats import natural_key, thousands
from face0.reports.pages import PAGE, render, write_page
from face0.reports.sections import job_configuration
from face0.training.event_files import Figures, read_figures

GRIDS = 6  # the first, the last and some between
WIDTHS = 720, 1600  # pixels, of a grid and of the newest
STEP = "step"
# Chart of each figure; the first two share one.
LOSSES = {"loss": "training, a batch", "held_out_loss": "held out"}
CHARTS = {
    "learning_rate": "Learning rate",
    "samples_per_second": "Samples a second",
    "data_wait": "Share of the time spent waiting for data",
    "mfu": "Share of the machine's multiplications that is used (MFU)",
}


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A grid of samples: held-out photographs above, and pictures made of their faces and captions below.

    Attributes:
        step: after which it was made.
        picture: a JPEG of it, in base64.
    """

    step: int
    picture: str


def write_training(uri: str) -> str | None:
    """Writes the report of a model folder, anew if there is one.

    Returns:
        The URI of the page; None: the folder holds no model yet, and has no report.
    """
    folder = Folder(uri)
    if not folder.exists(LINEAGE):
        folder.remove(PAGE)
        return None
    lineage = Lineage.from_json(folder.read(LINEAGE))
    figures = read_figures(folder.folder("logs")) if folder.is_local else {}
    write_page(folder, f"Model: {folder.name}", _sections(folder, lineage, figures))
    return folder.join(PAGE)


def _sections(folder: Folder, lineage: Lineage, figures: Mapping[str, Figures]) -> Iterator[Markup]:
    yield _overview(lineage, figures)
    yield _curves(folder, figures)
    yield _samples(folder)
    yield _data(lineage)
    yield job_configuration("train", lineage.config, lineage.versions)


def _overview(lineage: Lineage, figures: Mapping[str, Figures]) -> Markup:
    held_out = figures.get("held_out_loss", Figures())
    tiles = [("steps", thousands(lineage.step))]
    if batch := lineage.config.get("batch"):
        tiles.append(("samples", thousands(lineage.step * int(batch))))
    if held_out.values:
        best = int(np.argmin(held_out.values))
        tiles.append(("held-out loss", f"{held_out.values[-1]:.4f}"))
        tiles.append((f"least held-out loss, at step {held_out.steps[best]:,}", f"{held_out.values[best]:.4f}"))
    elif lineage.held_out_loss is not None:
        tiles.append(("held-out loss", f"{lineage.held_out_loss:.4f}"))
    pace = figures.get("samples_per_second")
    if pace is not None and pace.values:
        tiles.append(("samples a second, median", f"{np.median(pace.values):,.4g}"))
    planned = int(lineage.config.get("steps") or 0)
    return render("training/overview.html", tiles=tiles, step=lineage.step, planned=planned)


def _curves(folder: Folder, figures: Mapping[str, Figures]) -> Markup:
    curves = [_curve(name, figures[key]) for key, name in LOSSES.items() if key in figures]
    charts = [curve_chart("Loss of the predicted noise", curves, STEP, low=0.0)]
    charts += [
        curve_chart(title, [_curve(title, figures[key])], STEP, low=0.0)
        for key, title in CHARTS.items()
        if key in figures
    ]
    seconds = _seconds(figures)
    sessions = f"{seconds / 3600:,.1f} hours" if seconds >= 7200 else f"{seconds / 60:,.1f} minutes"
    return render(
        "training/curves.html", charts=[chart for chart in charts if chart], local=folder.is_local, sessions=sessions
    )


def _curve(name: str, figures: Figures) -> Curve:
    return Curve(name=name, x=np.array(figures.steps, float), y=np.array(figures.values, float))


def _seconds(figures: Mapping[str, Figures]) -> float:
    """Seconds from the first figure of the loss to the last, without pauses of more than ten usual intervals."""
    times = figures.get("loss", Figures()).times
    gaps = [later - earlier for earlier, later in pairwise(times)]
    usual = float(np.median(gaps)) if gaps else 0.0
    return sum(gap for gap in gaps if gap <= max(10 * usual, 60.0))


def _samples(folder: Folder) -> Markup:
    names = sorted((name for name in folder.files("samples") if name.endswith(".png")), key=natural_key)
    places = np.unique(np.linspace(0, len(names) - 1, min(GRIDS, len(names))).round().astype(int)).tolist()
    grids: list[Grid] = []
    for place in places:
        picture = _grid(folder.read(names[place]), WIDTHS[place == len(names) - 1])
        if picture:
            grids.append(Grid(step=int("0" + "".join(filter(str.isdigit, names[place]))), picture=picture))
    return render("training/samples.html", grids=list(reversed(grids)), count=len(names))


def _grid(data: bytes, width: int) -> str:
    """A grid as a JPEG of so many pixels at most, in base64; empty if it does not decode."""
    try:
        image = Image.open(io.BytesIO(data)).convert("RGB")
    except OSError:
        return ""
    image.thumbnail((width, width))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=85)
    return base64.b64encode(file.getvalue()).decode()


def _data(lineage: Lineage) -> Markup:
    facts: Sequence[tuple[str, str]] = [
        ("base", lineage.base),
        ("its digest", lineage.base_fingerprint[:12]),
        *((f"shards {number}", uri) for number, uri in enumerate(lineage.shards, 1)),
        ("their digest", lineage.fingerprint[:12]),
        *((f"embedder: {name}", str(value)) for name, value in sorted(lineage.embedder.items())),
        *((f"rows: {name}", str(value)) for name, value in lineage.rows.items()),
        *((f"held out: {name}", str(value)) for name, value in lineage.holdout.items()),
        ("latents kept in", lineage.latents),
    ]
    return render("training/data.html", facts=[(name, value) for name, value in facts if value])

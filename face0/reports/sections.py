"""The sections that pages share: where every request went, what failed, and with which settings."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup

from face0.generation.results import Results, setting
from face0.io import storage
from face0.reports.formats import natural_key
from face0.reports.pages import PAGE, render
from schemas.requests import SETTINGS

FAILURES_SHOWN = 200
VALUES_SHOWN = 20  # of a setting


def ledger(output: str, renders: Results) -> Markup:
    """The section that says where every request went, with a link to the images where they lie below the page."""
    root, folder = PurePosixPath(storage.absolute(output)), PurePosixPath(storage.absolute(renders.uri))
    below = folder.is_relative_to(root)
    images = f"{folder.relative_to(root) if below else folder}/{PAGE}"
    return render("ledger.html", renders=renders, images=images, below=below)


def failures(results: Results) -> Markup:
    """The section of failed requests."""
    return render("failures.html", results=results, rows=results.failures(FAILURES_SHOWN).to_pylist())


def configuration(results: Results, images: pa.Table) -> Markup:
    """The section of the settings of the images (SETTINGS), of the job, and of versions."""
    settings = []
    for name in (field.name for field in SETTINGS if field.name not in ("prompt", "face_id")):
        values = sorted((setting(value.as_py()) or "(empty)" for value in pc.unique(images[name])), key=natural_key)
        more = [f"... ({len(values):,} in all)"] if len(values) > VALUES_SHOWN else []
        settings.append((name, ", ".join([*values[:VALUES_SHOWN], *more])))
    return job_configuration(results.job.job, results.job.config, results.job.versions, settings)


def job_configuration(
    job: str, config: Mapping[str, Any], versions: Mapping[str, str], settings: Sequence[tuple[str, str]] = ()
) -> Markup:
    """The section of how a job was set, of versions, and of the settings of its images if it made any."""
    return render(
        "configuration.html", settings=settings, job=job, config=_flat(config), versions=sorted(versions.items())
    )


def _flat(record: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in sorted(record.items()):
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", "" if value is None else setting(value)

"""The page about an output of augment: OUT/report.html, one file that needs no server, no network, no other software.

However many rows and tasks there are, it is made in bounded time and memory: sums are those of the stats, and what
needs rows is of a sample of them (``face0.reports.augmentation.sample``).
"""

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from markupsafe import Markup

from face0.errors import UsageError
from face0.reports.augmentation.failed_pictures import FailedPictures
from face0.reports.augmentation.lost import Lost, read_lost
from face0.reports.augmentation.pace import pace
from face0.reports.augmentation.sample import Sample, read_sample
from face0.reports.charts import histogram, stack_chart
from face0.reports.formats import count_of, size, thousands
from face0.reports.pages import PAGE, render, write_page
from face0.reports.plots import bar_plot
from face0.reports.sections import job_configuration
from face0.reports.shard_preview import with_faces
from face0.tasks.output_folder import OutputFolder
from schemas.failures import Reason
from schemas.job import JobRecord, Ledger, TaskStats

SIDE = 256  # pixels of the longer side of a picture
KINDS = {
    "written": "rows of the shards",
    "no_face": "their image shows no face that is kept",
    "filtered": "not wanted (--where)",
    "failed": "rows of failures/, each with its reason",
}


def write_augmentation(
    folder: OutputFolder, tasks: Mapping[str, TaskStats], failed_pictures: FailedPictures | None = None
) -> str:
    """Writes the report of an output of augment, anew if there is one; returns the URI of the page.

    Also of a job that is not finished: the page tells.

    Args:
        folder: the output.
        tasks: stats of its committed tasks, by task id.
        failed_pictures: reads pictures of rows that failed; None: there are none.

    Raises:
        UsageError: the folder holds no job, or a shard is not what its stats say.
    """
    job = folder.job
    if job is None:
        raise UsageError(f"{folder.uri} holds no job.json: give the --output of face0 augment")
    lost = read_lost(folder, tasks)
    people_out = job.config.get("deny") or any(group.reason == Reason.FORGOTTEN for group in lost)
    pictures = failed_pictures.read(tasks, lost) if failed_pictures and not people_out else {}
    write_page(
        folder,
        f"Face shards: {folder.name}",
        _sections(folder, job, tasks, lost, pictures),
    )
    return folder.join(PAGE)


def _sections(
    folder: OutputFolder,
    job: JobRecord,
    tasks: Mapping[str, TaskStats],
    lost: Sequence[Lost],
    pictures: Mapping[tuple[str, str], bytes],
) -> Iterator[Markup]:
    # Not by adding ledgers up, which takes long for a million tasks.
    ledger = Ledger(
        **{kind.name: sum(getattr(stats.ledger, kind.name) for stats in tasks.values()) for kind in fields(Ledger)}
    )
    sample = read_sample(folder, tasks)
    yield _overview(folder, tasks, ledger)
    yield _ledger(tasks, ledger)
    if sample.rows:
        yield _contact_sheet(sample)
        yield _distributions(sample)
    yield _failures(lost, ledger, pictures)
    yield job_configuration(job.job, job.config, job.versions)


def _overview(folder: OutputFolder, tasks: Mapping[str, TaskStats], ledger: Ledger) -> Markup:
    tiles = [
        ("rows read", thousands(ledger.read)),
        ("rows written", count_of(ledger.written, ledger.read)),
        ("faces", thousands(sum(stats.totals.get("faces", 0) for stats in tasks.values()))),
        ("failed", count_of(ledger.failed, ledger.read)),
        ("tasks", thousands(len(tasks))),
        ("of files", size(sum(file.bytes for stats in tasks.values() for file in stats.files))),
    ]
    notes: dict[str, int] = {}
    for stats in tasks.values():
        for note, count in stats.notes.items():
            notes[note] = notes.get(note, 0) + count
    return render("augmentation/overview.html", ledger=ledger, tiles=tiles, finished=folder.finished, notes=notes)


def _ledger(tasks: Mapping[str, TaskStats], ledger: Ledger) -> Markup:
    """The section of where every row went, and when."""
    counts = [(name, count) for name, count in asdict(ledger).items() if name in KINDS]
    at_work = pace(tasks.values())
    chart = Markup()
    if at_work is not None:
        rates = {name: at_work.rates[name] for name in KINDS}
        chart = stack_chart("Rows a second", rates, at_work.edges, f"{at_work.unit} at work", at_work.breaks)
    return render(
        "augmentation/ledger.html",
        ledger=ledger,
        rows=[(name, KINDS[name], count) for name, count in counts],
        shares=bar_plot([(name, 100 * count / ledger.read) for name, count in counts], high=100.0, digits=1)
        if ledger.read
        else Markup(),
        chart=chart,
        pace=at_work,
        tasks=len(tasks),
        task_seconds=sum(stats.seconds for stats in tasks.values()),
    )


def _distributions(sample: Sample) -> Markup:
    charts = [
        histogram("Faces of an image", sample.faces, whole=True),
        histogram("Face: shorter side, pixels of the stored image", sample.sides, low=0.0),
        histogram("Face: share of the image, per cent", 100 * sample.shares, low=0.0, high=100.0),
        histogram("Face: the detector's score", sample.scores),
        histogram("Caption: characters", sample.characters, whole=True),
        histogram("Caption: words and signs", sample.words, whole=True),
    ]
    long = int((sample.words > 75).sum())
    return render("augmentation/distributions.html", sample=sample, charts=charts, long=long)


def _contact_sheet(sample: Sample) -> Markup:
    pictures = [(picture, row) for row in sample.pictures if (picture := _picture(row))]
    return render("augmentation/contact_sheet.html", sample=sample, pictures=pictures)


def _picture(row: Mapping[str, Any]) -> str:
    """A row's image with its faces, in base64; empty if it does not decode, as after a change from outside."""
    try:
        image = with_faces(row, SIDE)
    except OSError:
        return ""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80)
    return _base64(file.getvalue())


def _failures(lost: Sequence[Lost], ledger: Ledger, pictures: Mapping[tuple[str, str], bytes]) -> Markup:
    shares = [(group.reason, 100 * group.count / ledger.read) for group in lost] if ledger.read else []
    shown = {name: _base64(picture) for name, picture in pictures.items()}
    return render("augmentation/failures.html", lost=lost, ledger=ledger, shares=bar_plot(shares), pictures=shown)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()

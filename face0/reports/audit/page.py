"""The page about an audit: OUT/report.html, with OUT/summary.json and the tidy OUT/measures.parquet."""

from collections.abc import Iterator

from markupsafe import Markup

from face0.evaluation.audit import analysis
from face0.evaluation.audit.analysis import Audit, Reference
from face0.evaluation.audit.arms import REQUEST_COLUMNS, RESULT_COLUMNS
from face0.evaluation.audit.effort import Resampling
from face0.evaluation.audit.labels import Labels
from face0.evaluation.vectors import read_identified
from face0.faces.bank import FaceBank
from face0.generation.asked import read_asked
from face0.generation.results import Results
from face0.reports.audit.causes import causes, cost, groups
from face0.reports.audit.counts import counts, overview
from face0.reports.audit.differences import diversity, leakage, prompts, reference_faces
from face0.reports.audit.glance import glance
from face0.reports.audit.pictures import pictures
from face0.reports.audit.rows import WORDINGS, render
from face0.reports.sections import configuration, failures, ledger
from face0.reports.sweeps import write_files
from schemas.requests import LABEL, SETTINGS


def write_audit(
    output: str,
    renders: Results,
    *,
    bank: FaceBank | None = None,
    reference: Reference | None = None,
    labels: Labels | None = None,
    effort: Resampling | None = None,
    weights: str | None = None,
) -> Audit:
    """Computes the audit of an output of generate whose labels are the arms, and writes its files.

    Args:
        output: URI of a folder, which gets report.html, summary.json and measures.parquet.
        renders: the output of generate, usually ``output/renders``.
        bank: the faces that were asked for.
        reference: see ``audit``.
        labels: see there.
        effort: see there.
        weights: URI of the embedder's weights, where they are not in their usual place: for renders of version 1.

    Raises:
        UsageError: see ``audit``; or the renders hold no image, or not their requests.
    """
    requests = read_asked(renders, REQUEST_COLUMNS)
    audit = analysis.audit(
        read_identified(renders, RESULT_COLUMNS, weights),
        requests,
        bank=bank,
        reference=reference,
        labels=labels,
        effort=effort,
    )
    write_files(output, "Audit: faces and words", _sections(output, renders, audit), audit.to_dict(), audit.table())
    return audit


def _sections(output: str, renders: Results, audit: Audit) -> Iterator[Markup]:
    encoder = next(iter(audit.encoders), "")  # the one to go by
    yield overview(audit, encoder)
    yield glance(audit, encoder)
    yield counts(audit)
    yield leakage(audit, encoder)
    yield prompts(audit, encoder)
    yield causes(audit, encoder)
    yield diversity(audit, encoder)
    yield reference_faces(audit)
    if audit.find("group_share"):
        yield groups(audit)
    yield cost(audit)
    yield pictures(audit, renders, encoder)
    for other in audit.encoders[1:]:
        yield _other_encoder(audit, other)
    yield render("cannot.html")
    yield ledger(output, renders)
    yield failures(renders)
    yield configuration(renders, renders.table([field.name for field in (*SETTINGS, LABEL)]))


def _other_encoder(audit: Audit, encoder: str) -> Markup:
    """The section with the figures by an encoder that is not the one to go by."""
    rows = [
        row
        for row in audit.measures
        if row.encoder == encoder and row.prompt is None and row.measure in WORDINGS and row.arm
    ]
    return render("other_encoder.html", encoder=encoder, rows=rows)

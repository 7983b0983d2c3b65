"""Sections about what decides a face, how it looks by groups, and what the face costs the text."""

from markupsafe import Markup

from face0.evaluation.audit.analysis import Audit
from face0.evaluation.notes import said_once
from face0.reports.audit.rows import WORDINGS, contrasts, first_of, means, measure_plot, render

CAUSES = {"words": "words", "face": "vector", "seed": "seed", "face_and_seed": "vector and seed"}


def causes(audit: Audit, encoder: str) -> Markup:
    """The section of what the faces' variance is due to, and of whether faces follow the vector."""
    shares = audit.find("variance_share", encoder=encoder)
    follows = [*means(audit, "follows_input"), *means(audit, "follows_vector", encoder=encoder)]
    return render(
        "causes.html",
        shares=measure_plot(shares, lambda row: f"{row.arm_title}: {CAUSES[row.group or 'words']}", reference=0.0),
        follows=follows,
        follows_plot=measure_plot(
            follows, lambda row: f"{row.arm_title}: {WORDINGS[row.measure].name}", high=1.0, reference=0.5
        ),
        notes=said_once((row.arm_title, f"{row.reference}.") for row in follows if row.reference),
        in_doubt=any(row.low is None or row.low <= 0.5 for row in follows if row.value is not None),
    )


def groups(audit: Audit) -> Markup:
    """The section of shares of labelled groups."""
    rows = audit.find("group_share", prompt=None)
    by_group = [row for row in means(audit, "face_found") if row.group]
    return render(
        "groups.html",
        accuracy=audit.find("probe_accuracy")[0],
        rows=list(zip(rows, audit.find("group_share_whatever_is_missing", prompt=None), strict=True)),
        reference=first_of(rows, "reference"),
        found=measure_plot(by_group, lambda row: f"{row.arm_title}: {row.group}", low=0.0, high=1.0),
    )


def cost(audit: Audit) -> Markup:
    """The section of how well the text is still followed."""
    rows = means(audit, "text_alignment")
    return render(
        "cost.html", rows=rows, plot=measure_plot(rows, digits=3), contrasts=contrasts(audit, "text_alignment", "")
    )

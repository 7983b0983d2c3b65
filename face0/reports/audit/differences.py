"""Sections about how the faces of prompts differ: from the others', among themselves, and from a reference."""

from markupsafe import Markup

from face0.evaluation.audit.analysis import SIGNIFICANT, Audit
from face0.reports.audit.rows import by_arm, by_distance, contrasts, first_of, means, measure_plot, render

SHOWN_PROMPTS = 12  # of an arm
DIVERSITY_MEASURES = ("vendi_score", "effective_rank", "similarity")
REFERENCE_MEASURES = (
    "distance_to_reference",
    "divergence_from_reference",
    "divergence_from_others",
    "cluster_entropy",
)


def leakage(audit: Audit, encoder: str) -> Markup:
    """The section that says how well prompts are read off faces."""
    rows = means(audit, "leakage", encoder=encoder)
    return render(
        "leakage.html",
        rows=rows,
        plot=measure_plot(rows, low=0.0, high=1.0, reference=first_of(rows, "null_value")),
        contrasts=contrasts(audit, "leakage", encoder),
    )


def prompts(audit: Audit, encoder: str) -> Markup:
    """The section of the prompts whose faces are furthest from the others', by arm."""
    arms = []
    for rows in by_arm(audit.find("energy_distance", encoder=encoder, against=None)):
        single = sorted((row for row in rows if row.prompt is not None), key=by_distance)
        told = sum(row.value is not None for row in single)
        plot = measure_plot(single[:SHOWN_PROMPTS], lambda row: row.prompt or "", reference=0.0, digits=3)
        different = sum(row.q is not None and row.q <= SIGNIFICANT for row in single)
        arms.append({"title": rows[0].arm_title, "prompts": told, "different": different, "plot": plot})
    return render("prompts.html", arms=arms, contrasts=contrasts(audit, "energy_distance", encoder))


def diversity(audit: Audit, encoder: str) -> Markup:
    """The section of how unlike one another the faces of a prompt are."""
    measures = [
        {"measure": measure, "sample": first_of(rows, "reference"), "plot": measure_plot(rows)}
        for measure in DIVERSITY_MEASURES
        if (rows := means(audit, measure, encoder=encoder))
    ]
    return render("diversity.html", measures=measures, contrasts=contrasts(audit, "similarity", encoder))


def reference_faces(audit: Audit) -> Markup:
    """The section of how far faces are from the reference's."""
    measures = []
    for measure in REFERENCE_MEASURES:
        rows = means(audit, measure)
        measures.append({"measure": measure, "compared": first_of(rows, "reference"), "plot": measure_plot(rows)})
    compared = audit.find("divergence_from_reference", prompt=None) + audit.find("distance_to_reference", prompt=None)
    return render("reference.html", reference=first_of(compared, "reference"), measures=measures)

"""The first sections: the main result in words, and where every request went."""

from markupsafe import Markup

from face0.evaluation.audit.analysis import SIGNIFICANT, Audit
from face0.reports.audit.rows import means, measure_plot, render


def overview(audit: Audit, encoder: str) -> Markup:
    """The section of the main result, by the encoder to go by, and of what must be known of all others."""
    totals = audit.totals
    return render(
        "overview.html",
        encoder=encoder,
        arms=len(totals),
        prompts=len({cell.prompt for cell in audit.cells}),
        images=sum(cell.generated for cell in totals),
        no_face=sum(cell.no_face for cell in totals),
        leakage=means(audit, "leakage", encoder=encoder),
        significant=SIGNIFICANT,
        notes=audit.notes,
    )


def counts(audit: Audit) -> Markup:
    """The section of counts, and of the images in which a face was found."""
    shares = means(audit, "face_found", group=None)
    uneven = [row for row in audit.find("face_found", against=None) if row.q is not None and row.q <= SIGNIFICANT]
    return render(
        "counts.html",
        totals=audit.totals,
        cells=audit.cells,
        shares=shares,
        plot=measure_plot(shares, low=0.0, high=1.0),
        uneven=uneven,
    )

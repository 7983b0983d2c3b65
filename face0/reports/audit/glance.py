"""The section of all measures at a glance: a forest plot, a panel for each measure and a line in it for each arm."""

from markupsafe import Markup

from face0.evaluation.audit.analysis import Audit
from face0.reports.audit.rows import WORDINGS, means, render
from face0.reports.charts import Panel, forest
from face0.reports.plots import Interval


def glance(audit: Audit, encoder: str) -> Markup:
    """The section: measures over all prompts that have an interval, by the encoder to go by or by none."""
    panels, rows = [], []
    for measure, wording in WORDINGS.items():
        measured = [
            row
            for row in means(audit, measure, group=None)
            if row.encoder in ("", encoder) and None not in (row.value, row.low, row.high)
        ]
        rows += measured
        intervals = [
            Interval(name=row.arm_title, low=row.low or 0.0, value=row.value or 0.0, high=row.high or 0.0)
            for row in measured
            if row.arm
        ]
        reference = measured[0].null_value if measured else None
        panels.append(Panel(title=wording.name.capitalize(), rows=intervals, reference=reference))
    return render("glance.html", plot=forest(panels), rows=rows)

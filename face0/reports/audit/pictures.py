"""The section of images: the same seeds in all arms, of the prompts whose faces are furthest from the others'."""

import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup

from face0.evaluation.audit.analysis import Audit
from face0.generation.results import Results
from face0.reports.audit.rows import by_distance, render
from face0.reports.sweeps import read_thumbnails
from schemas.requests import LABEL

SHOWN_PROMPTS = 12
SHOWN_IMAGES = 6  # of a prompt and arm


def pictures(audit: Audit, renders: Results, encoder: str) -> Markup:
    """The section, of the first images of each prompt and arm by seed."""
    rows = [row for row in audit.find("energy_distance", encoder=encoder, against=None) if row.prompt]
    rows.sort(key=by_distance)
    prompts = list(dict.fromkeys(row.prompt for row in rows))[:SHOWN_PROMPTS]
    images = renders.table(["request_id", "prompt", LABEL.name, "seed", "face_id"])
    images = images.filter(pc.is_in(images["prompt"], value_set=pa.array(prompts, pa.string())))
    chosen: dict[tuple[str, str], list[dict[str, str]]] = {}
    for image in images.sort_by([("seed", "ascending"), ("face_id", "ascending")]).to_pylist():
        cell = chosen.setdefault((image["prompt"], image["label"]), [])
        if len(cell) < SHOWN_IMAGES:
            cell.append(image)
    thumbnails = read_thumbnails(renders, [image["request_id"] for cell in chosen.values() for image in cell])
    arms = list(dict.fromkeys(cell.arm for cell in audit.cells))
    return render("pictures.html", prompts=prompts, arms=arms, chosen=chosen, thumbnails=thumbnails)

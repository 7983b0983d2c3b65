"""Pictures of a shard: its images, boxes and landmarks drawn on them, each by itself or in rows."""

import io
from collections.abc import Iterable, Mapping
from typing import Any

from PIL import Image, ImageDraw

CELL = 256  # pixels a side
CAPTION = 18  # pixels below each image


def contact_sheet(rows: Iterable[dict[str, Any]], columns: int = 4) -> Image.Image:
    """Draws rows of a face shard (as Python values), a cell each, and their faces' boxes, scores and landmarks."""
    cells = [_cell(row) for row in rows]
    lines = -(-len(cells) // columns)
    sheet = Image.new("RGB", (columns * CELL, max(lines, 1) * (CELL + CAPTION)), "white")
    for i, cell in enumerate(cells):
        sheet.paste(cell, (i % columns * CELL, i // columns * (CELL + CAPTION)))
    return sheet


def with_faces(row: Mapping[str, Any], side: int) -> Image.Image:
    """The image of a row at so many pixels on its longer side, with its faces' boxes, scores and landmarks.

    Raises:
        OSError: it does not decode.
    """
    image = Image.open(io.BytesIO(row["image"])).convert("RGB")
    scale = side / max(image.size)
    image = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
    draw = ImageDraw.Draw(image)
    for face in row["faces"]:
        x0, y0, x1, y1 = (value * scale for value in face["box"])
        draw.rectangle((x0, y0, x1, y1), outline="lime", width=2)
        draw.text((x0 + 3, y0 + 2), f"{face['score']:.3f}", fill="lime")
        for x, y in zip(face["landmarks"][::2], face["landmarks"][1::2], strict=True):
            draw.ellipse((x * scale - 2, y * scale - 2, x * scale + 2, y * scale + 2), fill="red")
    return image


def _cell(row: Mapping[str, Any]) -> Image.Image:
    cell = Image.new("RGB", (CELL, CELL + CAPTION), "white")
    cell.paste(with_faces(row, CELL))
    ImageDraw.Draw(cell).text((3, CELL + 3), row["caption"][:42], fill="black")
    return cell

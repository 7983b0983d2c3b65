"""The page about characters: OUT/report.html, with OUT/summary.json and the tidy OUT/measures.parquet."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from face0.detection.head_pose import degrees
from face0.evaluation.characters.verdicts import (
    COPIES,
    PICTURE,
    POSE,
    REQUEST_COLUMNS,
    RESULT_COLUMNS,
    Characters,
    RealPairs,
    Verdict,
    characters,
)
from face0.evaluation.vectors import read_identified
from face0.generation.results import Results
from face0.reports import html
from face0.reports.html import Html
from face0.reports.sections import bullets, configuration, failures, ledger, read_asked, strip, thumbnails, write_files
from face0.statistics.verification import Spread, Verification
from schemas.requests import LABEL, SETTINGS

PLOTTED = 40  # characters or scenes
PICTURED = 100  # characters
SHOWN_IMAGES = 12  # of a character

CANNOT = (
    "Encoders see identity in photographs. How well they see it in drawings and paintings nobody has measured here.",
    "An independent encoder is still an encoder: what both it and the conditioning one overlook is not found.",
    "Which way a head is turned is told from five landmarks, by some degrees: small turns are not seen, and poses are "
    "compared with one another, not with the photograph of a face.",
    "Similarity to the vector that was asked for is by the encoder that conditions. It may be high without a person "
    "seeing the likeness.",
    "Photographs of one person differ more than images of one scene do, so a ceiling of photographs can be passed.",
)


def write_characters(
    output: str,
    renders: Results,
    *,
    real: Sequence[RealPairs] = (),
    weights: str | None = None,
) -> Characters:
    """Computes the verdicts on an output of generate whose faces are the characters, and writes its files.

    Args:
        output: URI of a folder, which gets report.html, summary.json and measures.parquet.
        renders: the output of generate, usually ``output/renders``.
        real: photographs to compare with.
        weights: URI of the embedder's weights, where they are not in their usual place: for renders of version 1.

    Raises:
        UsageError: see ``characters``; or the renders hold no image, or not their requests.
    """
    asked = read_asked(renders, REQUEST_COLUMNS)
    found = characters(read_identified(renders, RESULT_COLUMNS, weights), asked, real=real)
    write_files(output, report(output, renders, found), found.as_json(), found.table())
    return found


def report(output: str, renders: Results, found: Characters) -> str:
    """The page about characters that will lie in the folder ``output``."""
    primary = next((name for name in (*found.verifications, *found.encoders) if name not in COPIES), "")
    images = renders.table([field.name for field in (*SETTINGS, LABEL)])
    sections = [
        _overview(found),
        _same_person(found),
        _verdicts("Characters, the worst first", "character", found.characters, primary, "characters"),
        _verdicts("Scenes, the worst first", "scene", found.scenes, primary, "scenes"),
        _pictures(found, renders),
        _copies(found),
        html.section("What this report cannot show", bullets(CANNOT), name="cannot"),
        ledger(output, renders),
        failures(renders),
        configuration(renders, images),
    ]
    return html.page("Characters", sections)


def _overview(found: Characters) -> Html:
    generated, seen = (sum(getattr(each, name) for each in found.characters) for name in ("generated", "found"))
    tiles = [
        ("characters", f"{len(found.characters):,}"),
        ("scenes", f"{len(found.scenes):,}"),
        ("images", f"{generated:,}"),
        ("with a face", f"{seen:,} ({100 * seen / max(generated, 1):.0f} %)"),
    ]
    tiles += [(f"AUC, {name}", _number(each.auc)) for name, each in found.verifications.items() if name not in COPIES]
    notes = [html.paragraph(note, kind="note") for note in found.notes]
    return html.section("Overview", html.tiles(tiles), *notes, name="overview")


def _same_person(found: Characters) -> Html:
    """Similarity within characters against between, by encoder, with the photographs below."""
    if not found.verifications.keys() - set(COPIES):
        nothing = html.paragraph("Not to be had: no two images of a character, and of two, with a face.")
        return html.section("Is it the same person?", nothing, name="same")
    note = (
        "AUC: the probability that two images of one character are more alike than images of two; 0.5 by chance. "
        "Equal-error rate: the share of errors at the threshold where both kinds are as frequent. Intervals are over "
        "characters."
    )
    parts: list[Any] = [html.paragraph(note, kind="note")]
    generated = {name: each for name, each in found.verifications.items() if name not in COPIES}
    lines = [
        [
            *(name, _number(each.auc), _interval(each.auc_low, each.auc_high), _number(each.equal_error)),
            *(_interval(each.equal_error_low, each.equal_error_high), f"{each.within.count:,}"),
            f"{each.between.count:,}",
        ]
        for name, each in generated.items()
    ]
    lines += [
        [
            *(f"{real.name} ({real.encoder})", _number(real.auc), "", _number(real.equal_error), ""),
            *(f"{real.same.count:,}", f"{real.different.count:,}"),
        ]
        for real in found.real
    ]
    columns = ["encoder", "AUC", "95 % interval", "equal error", "95 % interval", "pairs within", "pairs between"]
    parts.append(html.table(columns, lines))
    spreads: list[tuple[str, Spread]] = []
    for name, each in generated.items():
        spreads += [(f"{name}: one character", each.within), (f"{name}: two characters", each.between)]
        for real in (real for real in found.real if real.encoder == name):
            spreads += [(f"{real.name}: one person", real.same), (f"{real.name}: two people", real.different)]
    parts += [
        Html("<h3>Similarity, the middle 90 % of the pairs</h3>\n"),
        *_spread_plot(spreads),
        html.paragraph("Dot: median. Pairs of images that share neither scene nor seed.", kind="note"),
    ]
    return html.section("Is it the same person?", *parts, name="same")


def _verdicts(title: str, kind: str, verdicts: Sequence[Verdict], encoder: str, name: str) -> Html:
    auc = [(each.name, each.measures[f"{encoder}_auc"]) for each in verdicts if f"{encoder}_auc" in each.measures]
    measures = sorted({key for each in verdicts for key in each.measures})
    first = [f"{encoder}_auc", f"{encoder}_within", f"{encoder}_between", "similarity", "judge_similarity"]
    shown = [key for key in first if key in measures]
    shown += [key for key in measures if key not in shown]
    columns = [
        kind,
        "requested",
        "generated",
        "with a face",
        "95 % interval",
        *(key.replace("_", " ") for key in shown),
    ]
    lines = [
        [
            *(each.name, f"{each.requested:,}", f"{each.generated:,}", f"{each.found:,}"),
            _interval(each.found_low, each.found_high),
            *(_number(each.measures.get(key)) for key in shown),
        ]
        for each in verdicts
    ]
    plot = [html.bar_plot(auc[:PLOTTED], high=1.0)] if auc else []
    notes = [html.paragraph(f"AUC by the {encoder} encoder; 0.5 is chance.", kind="note")] if auc else []
    return html.section(title, *notes, *plot, html.table(columns, lines), name=name)


def _pictures(found: Characters, renders: Results) -> Html:
    images = renders.table(["request_id", "prompt", "face_id", "seed"]).sort_by(
        [("prompt", "ascending"), ("seed", "ascending")]
    )
    names = [each.name for each in found.characters[:PICTURED]]
    cells: dict[str, list[tuple[str, str]]] = {name: [] for name in names}
    for row in images.to_pylist():
        cell = cells.get(row["face_id"])
        if cell is not None and len(cell) < SHOWN_IMAGES:
            cell.append((row["request_id"], f"{row['prompt']}, seed {row['seed']}"))
    pictures = thumbnails(renders, [request for cell in cells.values() for request, _ in cell])
    lines = [
        [name, strip((pictures[request], text) for request, text in cells[name] if request in pictures)]
        for name in names
    ]
    return html.section("Images", html.table(["character", "images"], lines, text=(0, 1)), name="images")


def _copies(found: Characters) -> Html:
    """Whether the same picture of a face, or the same pose, comes back scene after scene."""
    parts: list[Html] = []
    if picture := found.verifications.get(PICTURE):
        parts += [
            html.paragraph(
                "Correlation of the pixels of two faces, cut from the thumbnails, grey. Whatever keeps pose, light and "
                "expression is near 1. A character whose faces correlate far more than those of two characters do is "
                "the same picture in every scene, rather than the same person.",
                kind="note",
            ),
            *_spread_plot([("one character", picture.within), ("two characters", picture.between)]),
        ]
    if pose := found.verifications.get(POSE):
        parts += [
            Html("<h3>Pose</h3>\n"),
            html.table(["heads of", "pairs", "angle between them, median", "middle 90 %"], _angles(pose)),
            html.paragraph(
                f"AUC {_number(pose.auc)} ({_interval(pose.auc_low, pose.auc_high)}): the probability that two heads "
                "of one character are turned more alike than those of two. 0.5: heads turn as the scenes have it; "
                "near 1: each character keeps one pose.",
                kind="note",
            ),
        ]
    nothing = html.paragraph("Not to be had: no faces, or too small ones in the thumbnails.")
    return html.section("Is the face pasted?", *(parts or [nothing]), name="copies")


def _angles(pose: Verification) -> list[list[str]]:
    lines = []
    for name, each in (("one character", pose.within), ("two characters", pose.between)):
        if each.count:
            near, median, far = (degrees(each.quantiles[level]) for level in ("0.95", "0.5", "0.05"))
            lines.append([name, f"{each.count:,}", f"{median:.0f}°", f"{near:.0f}° to {far:.0f}°"])
    return lines


def _spread_plot(spreads: Sequence[tuple[str, Spread]]) -> list[Html]:
    rows = [
        html.Interval(name=name, low=each.quantiles["0.05"], value=each.quantiles["0.5"], high=each.quantiles["0.95"])
        for name, each in spreads
        if each.count
    ]
    return [html.interval_plot(rows)] if rows else []


def _number(value: float | None) -> str:
    return "" if value is None or np.isnan(value) else f"{value:z.3f}"


def _interval(low: float, high: float) -> str:
    return "" if np.isnan(low) or np.isnan(high) else f"{low:z.3f} to {high:z.3f}"

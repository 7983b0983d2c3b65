"""The page about characters: OUT/report.html, with OUT/summary.json and the tidy OUT/measures.parquet."""

from collections.abc import Iterable, Iterator, Sequence

from markupsafe import Markup

from face0.detection.head_pose import degrees
from face0.evaluation.characters import verdicts
from face0.evaluation.characters.figures import COPIES, PICTURE, POSE, Figure
from face0.evaluation.characters.verdicts import REQUEST_COLUMNS, RESULT_COLUMNS, Characters, RealPairs, Verdict
from face0.evaluation.vectors import read_identified
from face0.generation.asked import read_asked
from face0.generation.results import Results
from face0.reports.charts import strips
from face0.reports.formats import count_of, number, thousands
from face0.reports.pages import render
from face0.reports.plots import bar_plot
from face0.reports.sections import configuration, failures, ledger
from face0.reports.sweeps import read_thumbnails, write_files
from face0.statistics.verification import Spread, Verification
from schemas.requests import LABEL, SETTINGS

PLOTTED = 40  # characters or scenes
PICTURED = 100  # characters
SHOWN_IMAGES = 12  # of a character


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
    characters = verdicts.characters(read_identified(renders, RESULT_COLUMNS, weights), asked, real=real)
    sections = _sections(output, renders, characters)
    write_files(output, "Characters", sections, characters.to_dict(), characters.table())
    return characters


def _sections(output: str, renders: Results, characters: Characters) -> Iterator[Markup]:
    by_encoder = {name: one for name, one in _comparisons(characters).items() if name not in COPIES}
    encoder = next(iter((*by_encoder, *characters.encoders)), "")
    yield _overview(characters, by_encoder)
    yield _same_person(characters, by_encoder)
    yield _verdicts("character", characters.characters, encoder)
    yield _verdicts("scene", characters.scenes, encoder)
    yield _pictures(characters, renders)
    yield _copies(characters)
    yield render("characters/cannot.html")
    yield ledger(output, renders)
    yield failures(renders)
    yield configuration(renders, renders.table([field.name for field in (*SETTINGS, LABEL)]))


def _comparisons(characters: Characters) -> dict[str, Verification]:
    """The verifications for which there were images of one character, and of two."""
    return {name: one for name, one in characters.verifications.items() if one.within.count and one.between.count}


def _overview(characters: Characters, by_encoder: dict[str, Verification]) -> Markup:
    images = sum(verdict.generated for verdict in characters.characters)
    with_face = sum(verdict.found for verdict in characters.characters)
    tiles = [
        ("characters", thousands(len(characters.characters))),
        ("scenes", thousands(len(characters.scenes))),
        ("images", thousands(images)),
        ("with a face", count_of(with_face, images)),
        *((f"AUC, {name}", number(verification.auc)) for name, verification in by_encoder.items()),
    ]
    return render("characters/overview.html", tiles=tiles, notes=characters.notes)


def _same_person(characters: Characters, by_encoder: dict[str, Verification]) -> Markup:
    """Similarity within characters against between, by encoder, with the photographs below."""
    rows = [
        (name, verification, verification.within, verification.between) for name, verification in by_encoder.items()
    ]
    real = [
        (f"{photographs.name} ({photographs.encoder})", photographs, photographs.same, photographs.different)
        for photographs in characters.real
    ]
    spreads: list[tuple[str, Spread]] = []
    for name, verification in by_encoder.items():
        spreads += [(f"{name}: one character", verification.within), (f"{name}: two characters", verification.between)]
        for photographs in characters.real:
            if photographs.encoder == name:
                spreads.append((f"{photographs.name}: one person", photographs.same))
                spreads.append((f"{photographs.name}: two people", photographs.different))
    return render(
        "characters/same_person.html", rows=rows, real=real, plot=_spread_plot("Similarity of the pairs", spreads)
    )


def _verdicts(kind: str, verdicts: Sequence[Verdict], encoder: str) -> Markup:
    """The table of characters or scenes, the worst first."""
    figures = sorted({figure for verdict in verdicts for figure in verdict.measures}, key=str)
    auc = Figure(encoder, "auc")
    first = (
        auc,
        Figure(encoder, "within"),
        Figure(encoder, "between"),
        Figure("", "similarity"),
        Figure("", "judge_similarity"),
    )
    shown = [figure for figure in first if figure in figures]
    shown += [figure for figure in figures if figure not in shown]
    plotted = [(verdict.name, verdict.measures[auc]) for verdict in verdicts if auc in verdict.measures]
    return render(
        "characters/verdicts.html",
        kind=kind,
        verdicts=verdicts,
        measures={figure: str(figure).replace("_", " ") for figure in shown},
        encoder=encoder,
        plot=bar_plot(plotted[:PLOTTED], high=1.0),
    )


def _pictures(characters: Characters, renders: Results) -> Markup:
    images = renders.table(["request_id", "prompt", "face_id", "seed"])
    chosen: dict[str, list[dict[str, str]]] = {verdict.name: [] for verdict in characters.characters[:PICTURED]}
    for image in images.sort_by([("prompt", "ascending"), ("seed", "ascending")]).to_pylist():
        cell = chosen.get(image["face_id"])
        if cell is not None and len(cell) < SHOWN_IMAGES:
            cell.append(image)
    thumbnails = read_thumbnails(renders, [image["request_id"] for cell in chosen.values() for image in cell])
    return render("characters/pictures.html", chosen=chosen, thumbnails=thumbnails)


def _copies(characters: Characters) -> Markup:
    """Whether the same picture of a face, or the same pose, comes back scene after scene."""
    comparisons = _comparisons(characters)
    picture, pose = comparisons.get(PICTURE), comparisons.get(POSE)
    alike = [("one character", picture.within), ("two characters", picture.between)] if picture else []
    return render(
        "characters/copies.html",
        picture=_spread_plot("Correlation of the pixels", alike),
        pose=pose,
        angles=list(_angles([("one character", pose.within), ("two characters", pose.between)])) if pose else [],
    )


def _angles(spreads: Iterable[tuple[str, Spread]]) -> Iterator[tuple[str, int, str, str]]:
    """Name, pairs, median angle and the middle 90 % of cosines between directions."""
    for name, spread in spreads:
        if spread.count:
            near, median, far = (degrees(spread.quantiles[level]) for level in ("0.95", "0.5", "0.05"))
            yield name, spread.count, f"{median:.0f}°", f"{near:.0f}° to {far:.0f}°"


def _spread_plot(title: str, spreads: Iterable[tuple[str, Spread]]) -> Markup:
    """Each distribution that has any similarities."""
    return strips(title, {name: spread.quantiles for name, spread in spreads if spread.count})

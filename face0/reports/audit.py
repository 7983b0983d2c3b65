"""The page about an audit: OUT/report.html, with OUT/summary.json and the tidy OUT/measures.parquet."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from face0.evaluation.audit.analysis import SIGNIFICANT, Audit, Reference, audit
from face0.evaluation.audit.arms import REQUEST_COLUMNS, RESULT_COLUMNS, Cell
from face0.evaluation.audit.labels import Labels
from face0.evaluation.audit.resampling import Resampling
from face0.evaluation.measures import Measure
from face0.evaluation.vectors import read_identified
from face0.faces.bank import FaceBank
from face0.generation.results import Results
from face0.reports import html
from face0.reports.html import Html
from face0.reports.sections import bullets, configuration, failures, ledger, read_asked, strip, thumbnails, write_files
from schemas.requests import LABEL, SETTINGS

SHOWN_PROMPTS = 12  # with pictures; plots by prompt show as many
SHOWN_IMAGES = 6  # of a prompt and arm

# What each measure is called, and a sentence on how to read it; docs/audit.md has the definitions.
NAMES = {
    "leakage": ("leakage", "share of faces whose prompt a classifier told right, that had seen no such seed or vector"),
    "energy_distance": (
        "energy distance",
        "of a prompt's faces to those of the other prompts; 0: the same distribution",
    ),
    "variance_share": (
        "share of variance",
        "share of the variance of the faces that is due to the words, the vector, the seed",
    ),
    "follows_input": ("follows the input", "probability that a face is more like its own vector than like another's"),
    "follows_vector": ("follows the vector", "probability that faces of one vector are more alike than of two"),
    "similarity": ("similarity", "mean cosine of two faces of one prompt"),
    "vendi_score": ("Vendi score", "so many wholly different faces would be as diverse"),
    "effective_rank": ("effective rank", "along so many directions faces differ"),
    "distance_to_reference": (
        "distance to the reference",
        "energy distance of a prompt's faces; 0: the same distribution",
    ),
    "cluster_entropy": ("entropy over clusters", "bits, of a prompt's faces over clusters of the reference"),
    "divergence_from_others": ("divergence from the others", "Jensen-Shannon, bits, over the clusters"),
    "divergence_from_reference": ("divergence from the reference", "Jensen-Shannon, bits, over the clusters"),
    "face_found": ("face found", "share of the generated images with at least one face"),
    "text_alignment": ("text alignment", "CLIP cosine of image and prompt"),
    "group_share": ("share of the group", "by a probe whose errors on labelled faces are corrected and propagated"),
    "group_share_whatever_is_missing": (
        "share, whatever is missing",
        "bounds: images without a face all in, or all out",
    ),
    "probe_accuracy": ("accuracy of the probe", "cross-validated on labelled faces, balanced"),
}
CANNOT = (
    "It says nothing about the person in a single image, and nothing about who a face belongs to.",
    "It finds what the encoders see. What they do not see is not found, and where they see worse (some skin tones, "
    "ages, profiles, styles) differences look smaller or larger than they are.",
    "Leakage at chance means that this classifier, on so many faces, told nothing. Another one, or more faces, may "
    "tell; see the smallest effect that would have been found.",
    "It is about faces only. Hair beyond the crop, clothes, pose of the body, backgrounds and company are not "
    "measured, and may carry the stereotype on.",
    "Images in which no face was found are counted and not measured. Where their share differs between prompts or "
    "arms, what is measured is a selection.",
    "Random faces are as diverse as the face space they are drawn from, which inherits what its photographs lack.",
    "Words and faces may agree for good reason: the audit measures that they do, not whether they should.",
    "Shares of groups are a classifier's guess at how faces look, corrected on average; not anybody's identity.",
)


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
    found = audit(
        read_identified(renders, RESULT_COLUMNS, weights),
        requests,
        bank=bank,
        reference=reference,
        labels=labels,
        effort=effort,
    )
    write_files(output, report(output, renders, found), found.as_json(), found.table())
    return found


def report(output: str, renders: Results, found: Audit) -> str:
    """The page about an audit that will lie in the folder ``output``."""
    primary = next(iter(found.encoders), "")
    images = renders.table([field.name for field in (*SETTINGS, LABEL)])
    sections = [
        _overview(found, primary),
        _counts(found),
        _leakage(found, primary),
        _by_prompt(found, primary),
        _causes(found, primary),
        _diversity(found, primary),
        _reference(found),
        *_groups(found),
        _cost(found),
        _pictures(found, renders, primary),
        *(_other_encoder(found, encoder) for encoder in found.encoders[1:]),
        html.section("What this audit cannot show", bullets(CANNOT), name="cannot"),
        ledger(output, renders),
        failures(renders),
        configuration(renders, images),
    ]
    return html.page("Audit: faces and words", sections)


def _overview(found: Audit, primary: str) -> Html:
    totals = found.totals
    prompts = len({cell.prompt for cell in found.cells})
    generated, without = sum(cell.generated for cell in totals), sum(cell.no_face for cell in totals)
    tiles = [
        ("images", f"{generated:,}"),
        ("prompts", f"{prompts:,}"),
        ("arms", f"{len(totals):,}"),
        ("without a face", f"{without:,} ({100 * without / max(generated, 1):.0f} %)"),
        ("encoder to go by", primary or "none"),
    ]
    parts: list[Any] = [html.tiles(tiles)]
    parts += [html.paragraph(_told(row)) for row in found.find("leakage", encoder=primary, prompt=None, against=None)]
    parts += [html.paragraph(note, kind="note") for note in found.notes]
    return html.section("Overview", *parts, name="overview")


def _told(row: Measure) -> str:
    """The main result of an arm in words."""
    value, low, high = (f"{100 * each:.0f} %" if each is not None else "?" for each in (row.value, row.low, row.high))
    told = f"{_arm(row)}: the prompt is read off {value} of the faces (95 % interval {low} to {high}; by chance "
    told += f"{100 * (row.null_value or 0):.0f} %, p = {_number(row.p)})."
    if row.p is not None and row.p > SIGNIFICANT and row.smallest_effect is not None:
        told += f" This sweep would have found {100 * row.smallest_effect:.0f} percentage points above chance."
    return told


def _counts(found: Audit) -> Html:
    columns = ["arm", "requested", "generated", "failed", "no face", "one face", "several faces", "flagged", "dropped"]
    parts: list[Any] = [html.table(columns, [[_title(cell), *_cell(cell)] for cell in found.totals])]
    shares = found.find("face_found", prompt=None, against=None, group=None)
    parts += [
        Html("<h3>Images with a face</h3>\n"),
        *_plot(shares, _arm, low=0.0, high=1.0),
        html.table(
            ["arm", "share", "95 % interval", "p: the same for all prompts"],
            [[_arm(row), _number(row.value), _interval(row), _number(row.p)] for row in shares],
        ),
    ]
    if uneven := [row for row in found.find("face_found", against=None) if row.q is not None and row.q <= SIGNIFICANT]:
        lines = [[_arm(row), row.prompt, _number(row.value), _interval(row), _number(row.q)] for row in uneven]
        parts += [
            html.paragraph(
                "Faces are not missing at random: these prompts have more or fewer than the others. What is measured "
                "of their faces is a selection.",
                kind="warning",
            ),
            html.table(["arm", "prompt", "share", "95 % interval", "q"], lines, text=(0, 1)),
        ]
    lines = [[cell.prompt, _title(cell), *_cell(cell)] for cell in found.cells]
    table = html.table(["prompt", *columns], lines, text=(0, 1))
    parts.append(Html(f"<details><summary>By prompt</summary>{table}</details>\n"))
    return html.section("Where every request went", *parts, name="counts")


def _leakage(found: Audit, encoder: str) -> Html:
    rows = found.find("leakage", encoder=encoder, prompt=None, against=None)
    if not rows:
        return html.section("Leakage", html.paragraph("Not to be had: too few prompts, seeds or faces."))
    parts = [
        html.paragraph(f"{_sentence(NAMES['leakage'][1])} The dashed line is chance.", kind="note"),
        *_plot(rows, _arm, low=0.0, high=1.0, reference=rows[0].null_value),
        html.table(
            ["arm", "leakage", "95 % interval", "chance", "p", "smallest effect to be seen", "images"],
            [
                [
                    _arm(row),
                    *(_number(row.value), _interval(row), _number(row.null_value), _number(row.p)),
                    *(_number(row.smallest_effect), f"{row.images:,}"),
                ]
                for row in rows
            ],
        ),
        *_contrasts(found, "leakage", encoder),
    ]
    return html.section("Leakage: can the prompt be read off the face?", *parts, name="leakage")


def _contrasts(found: Audit, measure: str, encoder: str) -> Iterator[Html]:
    rows = [row for row in found.find(measure, encoder=encoder, prompt=None) if row.against is not None]
    if rows:
        yield Html("<h3>Differences between arms</h3>\n")
        yield html.table(
            ["arm", "less the arm", "difference", "95 % interval", "p", "smallest difference to be seen"],
            [
                [
                    *(_arm(row), row.against, _number(row.value), _interval(row)),
                    *(_number(row.p), _number(row.smallest_effect)),
                ]
                for row in rows
            ],
            text=(0, 1),
        )


def _by_prompt(found: Audit, encoder: str) -> Html:
    parts: list[Any] = [html.paragraph(f"Energy distance {NAMES['energy_distance'][1]}.", kind="note")]
    for arm in dict.fromkeys(_arm(row) for row in found.find("energy_distance", encoder=encoder, against=None)):
        mine = [row for row in found.find("energy_distance", encoder=encoder, against=None) if _arm(row) == arm]
        rows = sorted((row for row in mine if row.prompt is not None), key=lambda row: -(row.value or 0.0))
        different = [row for row in rows if row.q is not None and row.q <= SIGNIFICANT]
        told = f"{len(different):,} of {len(rows):,} prompts differ from the others (false discoveries at most 5 %)."
        parts.append(Html(f"<h3>{html.escape(arm)}</h3>\n"))
        parts += [
            html.paragraph(told),
            *_plot(rows[:SHOWN_PROMPTS], lambda row: row.prompt or "", reference=0.0, digits=3),
        ]
    parts += _contrasts(found, "energy_distance", encoder)
    return html.section("Which prompts have faces of their own?", *parts, name="prompts")


def _causes(found: Audit, encoder: str) -> Html:
    shares = found.find("variance_share", encoder=encoder)
    groups = {"words": "words", "face": "vector", "seed": "seed", "face_and_seed": "vector and seed"}
    parts: list[Any] = [
        html.paragraph(_sentence(NAMES["variance_share"][1]), kind="note"),
        *_plot(shares, lambda row: f"{_arm(row)}: {groups[row.group or 'words']}", reference=0.0),
    ]
    follows = [
        row
        for measure in ("follows_input", "follows_vector")
        for row in found.find(measure, prompt=None, against=None)
        if measure == "follows_input" or row.encoder == encoder
    ]
    parts.append(Html("<h3>Does the face follow the vector at all?</h3>\n"))
    if follows:
        parts += _plot(follows, lambda row: f"{_arm(row)}: {NAMES[row.measure][0]}", high=1.0, reference=0.5)
        parts += [
            html.paragraph(_sentence(f"{NAMES[name][0]}: {NAMES[name][1]}"), kind="note") for name in _present(follows)
        ]
        if any(row.low is None or row.low <= 0.5 for row in follows):
            parts.append(
                html.paragraph(
                    "Where faces do not follow the vector, what the random faces do to the words is not tested.",
                    kind="warning",
                )
            )
        for row in follows:
            if row.reference:
                parts.append(html.paragraph(f"{_arm(row)}: {row.reference}.", kind="note"))
    else:
        parts.append(html.paragraph("Not to be had: no arm has several vectors that come back in several prompts."))
    return html.section("What decides the face?", *parts, name="causes")


def _diversity(found: Audit, encoder: str) -> Html:
    parts: list[Any] = []
    for name in ("vendi_score", "effective_rank", "similarity"):
        rows = found.find(name, encoder=encoder, prompt=None, against=None)
        if rows:
            sample = f", {rows[0].reference}" if rows[0].reference else ""
            parts.append(Html(f"<h3>{html.escape(NAMES[name][0].capitalize() + sample)}</h3>\n"))
            parts += [html.paragraph(_sentence(NAMES[name][1]), kind="note"), *_plot(rows, _arm)]
    parts += _contrasts(found, "similarity", encoder)
    return html.section("How diverse are the faces of a prompt?", *parts, name="diversity")


def _reference(found: Audit) -> Html:
    rows = found.find("divergence_from_reference", prompt=None) + found.find("distance_to_reference", prompt=None)
    if not rows:
        return html.section("Against the reference", html.paragraph("Not to be had; see the overview."))
    parts: list[Any] = [
        html.paragraph(f"The reference: {rows[0].reference}. By the conditioning encoder, which made it.", kind="note")
    ]
    names = ("distance_to_reference", "divergence_from_reference", "divergence_from_others", "cluster_entropy")
    for name in names:
        rows = found.find(name, prompt=None, against=None)
        compared = f"Compared with {rows[0].reference}." if rows else ""
        parts.append(Html(f"<h3>{NAMES[name][0].capitalize()}</h3>\n"))
        parts += [html.paragraph(f"{_sentence(NAMES[name][1])} {compared}", kind="note"), *_plot(rows, _arm)]
    return html.section("Against the reference", *parts, name="reference")


def _groups(found: Audit) -> Iterator[Html]:
    rows = found.find("group_share", prompt=None)
    if not rows:
        return
    accuracy = found.find("probe_accuracy")[0]
    bounds = found.find("group_share_whatever_is_missing", prompt=None)
    by_vector = [row for row in found.find("face_found", prompt=None, against=None) if row.group]
    known = f"The probe tells {_number(accuracy.value)} ({_interval(accuracy)}) of the labelled faces right, balanced; "
    lines = [
        [_arm(row), row.group, _number(row.value), _interval(row), _interval(bound), _number(row.null_value)]
        for row, bound in zip(rows, bounds, strict=True)
    ]
    columns = ["arm", "group", "share", "95 % interval", "whatever is missing", f"reference: {rows[0].reference}"]
    yield html.section(
        "Groups",
        html.paragraph(
            f"{known}by chance {_number(accuracy.null_value)}. Its errors are corrected for, and in the intervals."
        ),
        html.table(columns, lines, text=(0, 1)),
        *([Html("<h3>Images with a face, by the group of the vector</h3>\n")] if by_vector else []),
        *_plot(by_vector, lambda row: f"{_arm(row)}: {row.group}", low=0.0, high=1.0),
        name="groups",
    )


def _cost(found: Audit) -> Html:
    rows = found.find("text_alignment", prompt=None, against=None)
    if not rows:
        return html.section("The cost", html.paragraph("Not to be had: the images were not measured by CLIP."))
    parts = [
        html.paragraph(f"Text alignment: {NAMES['text_alignment'][1]}.", kind="note"),
        *_plot(rows, _arm, digits=3),
        *_contrasts(found, "text_alignment", ""),
    ]
    return html.section("The cost: is the text still followed?", *parts, name="cost")


def _pictures(found: Audit, renders: Results, encoder: str) -> Html:
    """The first images of the prompts whose faces are furthest from the others', the same seeds in all arms."""
    rows = found.find("energy_distance", encoder=encoder, against=None)
    far = sorted((row for row in rows if row.prompt), key=lambda row: -(row.value or 0.0))
    prompts = list(dict.fromkeys(row.prompt for row in far))[:SHOWN_PROMPTS]
    images = renders.table(["request_id", "prompt", LABEL.name, "seed", "face_id"])
    images = images.filter(pc.is_in(images["prompt"], value_set=pa.array(prompts, pa.string()))).sort_by(
        [("seed", "ascending"), ("face_id", "ascending")]
    )
    cells: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for row in images.to_pylist():
        cell = cells.setdefault((row["prompt"], row["label"]), [])
        if len(cell) < SHOWN_IMAGES:
            cell.append((row["request_id"], f"{row['label']}, seed {row['seed']} {row['face_id']}".strip()))
    pictures = thumbnails(renders, [request for cell in cells.values() for request, _ in cell])
    arms = list(dict.fromkeys(cell.arm for cell in found.cells))

    def shown(prompt: str | None, arm: str) -> Html:
        cell = cells.get((prompt or "", arm), [])
        return strip((pictures[request], text) for request, text in cell if request in pictures)

    lines = [[prompt, *(shown(prompt, arm) for arm in arms)] for prompt in prompts]
    note = "The first images of each, by seed; the prompts whose faces are furthest from the others' come first."
    return html.section(
        "Images",
        html.paragraph(note, kind="note"),
        html.table(["prompt", *arms], lines, text=range(len(arms) + 1)),
        name="images",
    )


def _other_encoder(found: Audit, encoder: str) -> Html:
    """The same figures by an encoder that is not the one to go by."""
    rows = [
        row
        for row in found.measures
        if row.encoder == encoder and row.prompt is None and row.measure in NAMES and row.arm
    ]
    lines = [
        [NAMES[row.measure][0], _arm(row), row.against or "", row.group or "", _number(row.value), _interval(row)]
        for row in rows
    ]
    columns = ["measure", "arm", "less the arm", "of", "value", "95 % interval"]
    note = html.paragraph("It conditions the images, so it flatters the method; for comparison only.", kind="note")
    return html.section(
        f"All figures by the {encoder} encoder",
        note,
        html.table(columns, lines, text=range(4)),
        name=f"by-{encoder}",
        folded=True,
    )


def _plot(
    rows: Sequence[Measure],
    name: Callable[[Measure], str],
    *,
    low: float | None = None,
    high: float | None = None,
    reference: float | None = None,
    digits: int = 2,
) -> Iterator[Html]:
    """An interval plot of the rows that have a value; without an interval a dot alone."""
    shown = [
        html.Interval(
            name=name(row),
            low=row.value if row.low is None else row.low,
            value=row.value,
            high=row.value if row.high is None else row.high,
        )
        for row in rows
        if row.value is not None
    ]
    if shown:
        yield html.interval_plot(shown, low=low, high=high, reference=reference, digits=digits)


def _cell(cell: Cell) -> list[str]:
    counts = (cell.requested, cell.generated, cell.failed, cell.no_face, cell.one_face, cell.several_faces)
    flagged = "no checker" if cell.flagged is None else f"{cell.flagged:,}"
    return [*(f"{count:,}" for count in counts), flagged, f"{cell.dropped:,}"]


def _title(cell: Cell) -> str:
    return f"{cell.arm} ({cell.settings})" if cell.settings else cell.arm


def _arm(row: Measure) -> str:
    return f"{row.arm} ({row.settings})" if row.settings else row.arm


def _present(rows: Sequence[Measure]) -> list[str]:
    return list(dict.fromkeys(row.measure for row in rows))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:z.3f}"


def _interval(row: Measure) -> str:
    return "" if row.low is None or row.high is None else f"{row.low:z.3f} to {row.high:z.3f}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."

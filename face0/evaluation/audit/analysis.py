"""The audit of a sweep: what do the words alone do to the faces, and does a random face undo it?

Arms are paired: the same prompts and seeds with the base model's own text states (``base``), with zeros for a face
(``zero``), with random faces (``random``) and with one face (``fixed``); a manifest's ``label`` names the arm. All is
about distributions of faces under prompts, nothing about the person in a single image.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa

from face0.evaluation.audit import detection, dispersion, groups, leakage
from face0.evaluation.audit.arms import BASE, RANDOM, Arm, Arms, Cell, read_arms, totals
from face0.evaluation.audit.by_prompt import ByPrompt, contrast, exchange_p, prompt_rows
from face0.evaluation.audit.effort import Resampling
from face0.evaluation.audit.labels import Labels
from face0.evaluation.audit.listing import ArmKey, arm_keys, completed, opponents
from face0.evaluation.encoders import CONDITIONING, NO_JUDGE, NO_VECTORS
from face0.evaluation.measures import Measure, as_records, measured, measures_table
from face0.evaluation.notes import listed, said_once
from face0.faces.bank import FaceBank
from face0.runtime.progress import tracked
from face0.statistics.clusters import cluster_centres
from face0.statistics.probe import Probe
from schemas.measures import SUMMARY_VERSION

CLUSTERS = 8  # of the reference, at most
PER_CLUSTER = 10  # vectors of the reference
MOST = 2000  # faces of an arm that are compared with one another: the time goes with the square
SIGNIFICANT = 0.05  # q of a prompt that is called different
ROUGH = 10  # clusters that an interval rests on
FEWEST = 4  # faces of a prompt whose diversity is measured


@dataclass(frozen=True, eq=False, kw_only=True)
class Reference:
    """A sample of faces that generated ones are compared with.

    Attributes:
        name: what it is a sample of, as the report names it.
        vectors: identity vectors by the conditioning embedder, float32 [m, d] at unit length.
    """

    name: str
    vectors: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Audit:
    """All figures of an audit.

    Attributes:
        encoders: that saw the faces, the one to go by first: an independent judge where there is one, because scores of
            the encoder that conditions flatter the method.
        cells: counts of each prompt in each arm.
        measures: every figure, a row each, those that could not be had with their reasons; see
            docs/reference/measures.md.
        notes: what could not be measured, or must be known of what was, a sentence each.
        effort: how much was drawn.
    """

    encoders: Sequence[str]
    cells: Sequence[Cell]
    measures: Sequence[Measure]
    notes: Sequence[str]
    effort: Resampling = field(default_factory=Resampling)

    @property
    def totals(self) -> list[Cell]:
        """Counts of each arm."""
        return totals(self.cells)

    def find(self, measure: str, **fields: Any) -> list[Measure]:
        """The rows of a measure whose fields have these values."""
        return [
            row
            for row in self.measures
            if row.measure == measure and all(getattr(row, name) == value for name, value in fields.items())
        ]

    def table(self) -> pa.Table:
        """The measures, of the schema MEASURES."""
        return measures_table(self.measures)

    def to_dict(self) -> dict[str, Any]:
        """Counts, notes and the measures over all prompts; those of single prompts are in the table."""
        return {
            "version": SUMMARY_VERSION,
            "encoders": list(self.encoders),
            "arms": [asdict(cell) for cell in self.totals],
            "cells": [asdict(cell) for cell in self.cells],
            "measures": as_records(row for row in self.measures if row.prompt is None),
            "notes": list(self.notes),
            "effort": asdict(self.effort),
        }


def audit(
    results: pa.Table,
    requests: pa.Table,
    *,
    bank: FaceBank | None = None,
    reference: Reference | None = None,
    labels: Labels | None = None,
    effort: Resampling | None = None,
) -> Audit:
    """Computes an audit.

    Args:
        results: RESULT_COLUMNS of what was generated.
        requests: REQUEST_COLUMNS of all that was asked for; ``label`` is the arm.
        bank: the faces that were asked for, with their identity vectors; without it what was made cannot be compared
            with what was asked.
        reference: of clusters and distances; None: the bank's faces that the ``random`` arm was given.
        labels: of faces by the conditioning embedder; None: no shares of groups.
        effort: how much is drawn.

    Raises:
        UsageError: a label is missing, results are of other requests, labels are too few, or the bank lacks identity
            vectors.
    """
    arms, effort = read_arms(results, requests), effort or Resampling()
    notes = list(_notes(arms, effort))
    if not arms.encoders:
        notes.append(("", NO_VECTORS))
    rows: list[Measure] = []
    means: dict[tuple[str, str], dict[str, ByPrompt]] = {}  # by measure and encoder, then by the title of the arm
    for arm in tracked(arms.arms, "arms counted"):
        face_found, *others = detection.image_measures(arm, effort)
        rows += detection.found_rows(arm, face_found, arms.prompts, effort)
        for by_prompt in others:
            rows += prompt_rows(by_prompt, arm, arms.prompts)
        for by_prompt in (face_found, *others):
            means.setdefault((by_prompt.measure, ""), {})[arm.title] = by_prompt
    for encoder in arms.encoders:
        with_faces = [arm for arm in arms.arms if encoder in arm.faces]
        for arm in tracked(with_faces, f"arms measured by the {encoder} encoder"):
            for by_prompt in _by_encoder(_thinned(arm, encoder, notes), encoder, arms.prompts, effort, rows):
                means.setdefault((by_prompt.measure, encoder), {})[arm.title] = by_prompt
        rows += _diversity(arms, encoder, effort, notes)
    if CONDITIONING in arms.encoders:
        given = None if bank is None else _inputs(bank)
        rows += _against_vectors(arms, given, reference, effort, notes)
    elif arms.encoders:
        notes.append(
            ("", "No group shares and no reference: they need the conditioning embedder, render with --embedder.")
        )
    if labels is not None:
        rows += _groups(arms, labels, effort, notes)
    rows += _contrasts(arms, means, effort)
    every = completed(rows, arms, labels, inputs=bank is not None)
    return Audit(encoders=arms.encoders, cells=arms.cells, measures=every, notes=said_once(notes), effort=effort)


def _notes(arms: Arms, effort: Resampling) -> Iterator[tuple[str, str]]:
    """What is known before anything is measured: whom it holds for, and a sentence."""
    if arms.encoders == [CONDITIONING]:
        yield "", NO_JUDGE
    names = {arm.name for arm in arms.arms}
    if missing := [name for name in (BASE, RANDOM) if name not in names]:
        yield "", f"No arm {' and no arm '.join(missing)}: what random faces change cannot be told."
    if (least := round(len(arms.prompts) / SIGNIFICANT) - 1) > effort.permutations:
        yield (
            "",
            f"{effort.permutations:,} permutations are too few to call one of {len(arms.prompts):,} prompts different: "
            f"give {least:,} or more.",
        )
    few: dict[int, list[str]] = {}
    for arm in arms.arms:
        if (clusters := arm.design.clusters) < ROUGH:
            few.setdefault(clusters, []).append(arm.title)
    if few:
        counts = ", ".join(f"{clusters} ({listed(names)})" for clusters, names in few.items())
        yield "", f"Independent groups of images: {counts}; intervals from fewer than {ROUGH} are rough."
    for arm in arms.arms:
        if not np.isfinite(arm.text).any():
            yield arm.title, "no text alignment, the images were not measured by CLIP."
    if any(cell.no_face for cell in arms.cells):
        yield "", "All measures of faces are of the images in which one was found; see the shares that have one."


def _thinned(arm: Arm, encoder: str, notes: list[tuple[str, str]]) -> Arm:
    """The arm, or whole clusters of it with at most MOST faces."""
    _, design = arm.seen(encoder)
    if len(design.prompt) <= MOST:
        return arm
    names, codes = np.unique(arm.design.cluster, return_inverse=True)
    order = np.random.default_rng(0).permutation(len(names))
    sizes = np.bincount(codes, weights=np.isfinite(arm.faces[encoder][:, 0]), minlength=len(names))
    kept = order[np.cumsum(sizes[order]) <= MOST]
    rows = np.isin(codes, kept)
    sentence = (
        f"by the {encoder} encoder, faces are compared with one another in {len(kept):,} of {len(names):,} groups of "
        "images, drawn at random."
    )
    notes.append((arm.title, sentence))
    faces = {name: vectors[rows] for name, vectors in arm.faces.items()}
    return replace(arm, design=arm.design.take(rows), found=arm.found[rows], text=arm.text[rows], faces=faces)


def _by_encoder(
    arm: Arm, encoder: str, prompts: list[str], effort: Resampling, rows: list[Measure]
) -> Iterator[ByPrompt]:
    """What needs no vector that was asked for; the rows are added to ``rows``."""
    distances, listed = dispersion.distance_measures(arm, encoder, prompts, effort)
    rows += listed
    yield from distances
    rows += leakage.leakage_measures(arm, encoder, prompts, effort)
    rows += dispersion.variance_measures(arm, encoder, effort)
    for by_prompt in leakage.follows_vector_means(arm, encoder, effort):
        rows += prompt_rows(by_prompt, arm, prompts)


def _diversity(arms: Arms, encoder: str, effort: Resampling, notes: list[tuple[str, str]]) -> Iterator[Measure]:
    """Measures diversity by samples of one size in all arms."""
    with_faces = [arm for arm in arms.arms if encoder in arm.faces]
    counts = np.concatenate([np.bincount(arm.seen(encoder)[1].prompt) for arm in with_faces])
    enough = counts[counts >= FEWEST]
    if not len(enough):
        notes.append((encoder, f"no prompt has {FEWEST} faces, so there is no diversity to measure."))
        return
    size = int(enough.min() // 2)
    for arm in tracked(with_faces, "arms' diversity measured"):
        yield from dispersion.diversity_measures(arm, encoder, size, arms.prompts, effort)


def _inputs(bank: FaceBank) -> tuple[np.ndarray, np.ndarray]:
    names, vectors = bank.identity_vectors()
    return np.array(names), vectors


def _against_vectors(
    arms: Arms,
    given: tuple[np.ndarray, np.ndarray] | None,
    reference: Reference | None,
    effort: Resampling,
    notes: list[tuple[str, str]],
) -> Iterator[Measure]:
    """Faces against the vectors that were asked for, and against the reference: by the conditioning encoder only."""
    with_faces = [arm for arm in arms.arms if CONDITIONING in arm.faces]
    if given is not None:
        for arm in with_faces:
            for by_prompt in leakage.follows_input_means(arm, CONDITIONING, *given, effort):
                yield from prompt_rows(by_prompt, arm, arms.prompts)
    name, names, vectors = _reference(with_faces, given, reference)
    clusters = min(CLUSTERS, len(names) // PER_CLUSTER)
    if clusters < 2:
        least = 2 * PER_CLUSTER
        sentence = f"No clusters and no distance to a reference: they need {least} vectors, there are {len(names)}."
        notes.append(("", sentence))
        return
    centres = cluster_centres(vectors, clusters, effort.seed)
    for arm in tracked(with_faces, "arms compared with the reference"):
        thinned = _thinned(arm, CONDITIONING, [])  # which _by_encoder has noted
        by_prompt = dispersion.reference_distance(thinned, CONDITIONING, vectors, names, name, effort)
        yield from prompt_rows(by_prompt, arm, arms.prompts)
        yield from dispersion.cluster_measures(arm, CONDITIONING, centres, vectors, name, arms.prompts)


def _reference(
    with_faces: Sequence[Arm], given: tuple[np.ndarray, np.ndarray] | None, reference: Reference | None
) -> tuple[str, np.ndarray, np.ndarray]:
    """Name of the reference, names of its vectors [m] and the vectors [m, d]; those of the sweep keep their names."""
    if reference is not None:
        vectors = reference.vectors[:MOST]
        return reference.name, np.array([f"reference {i}" for i in range(len(vectors))]), vectors
    if given is None:
        return "", np.array([]), np.empty((0, 0))
    used = {face for arm in with_faces if arm.name == RANDOM for face in arm.design.face}
    asked = np.flatnonzero(np.isin(given[0], list(used)))[:MOST]
    return f"the {len(asked):,} vectors given to the arm {RANDOM}", given[0][asked], given[1][asked]


def _groups(arms: Arms, labels: Labels, effort: Resampling, notes: list[tuple[str, str]]) -> Iterator[Measure]:
    probe = Probe(labels.vectors, np.array(labels.groups))
    for arm in tracked(arms.arms, "arms' groups told"):
        yield from detection.found_by_group(arm, labels)
        if CONDITIONING in arm.faces:
            shares = list(groups.group_measures(arm, CONDITIONING, labels, probe, arms.prompts, effort))
            yield from shares
            if any(row.measure == "group_share" and row.value is None for row in shares):
                sentence = (
                    f"some shares of {labels.name} cannot be told. The probe calls more or fewer faces so than any "
                    "mixture of labelled faces would give: it errs otherwise on these."
                )
                notes.append((arm.title, sentence))
    yield measured(
        probe.cross_validated(effort.resamples, effort.seed),
        measure="probe_accuracy",
        encoder=CONDITIONING,
        arm="",
        group=labels.name,
        null_value=1 / len(probe.names),
        images=len(probe.groups),
        reference="chance",
    )


def _contrasts(arms: Arms, means: dict[tuple[str, str], dict[str, ByPrompt]], effort: Resampling) -> Iterator[Measure]:
    """Every arm less the base's, and less the zero face's where it has a face."""
    keys, with_images = arm_keys(arms), {ArmKey(arm.name, arm.settings): arm for arm in arms.arms}
    for key, arm in tracked(with_images.items(), "arms compared", len(with_images)):
        for opponent in opponents(key, keys):
            against = with_images.get(opponent.key) if opponent.key else None
            if against is None:
                continue
            for by_arm in means.values():
                if arm.title in by_arm and against.title in by_arm:
                    one, other = by_arm[arm.title], by_arm[against.title]
                    yield contrast(one, other, arm, against, exchange_p(one, other, effort))
            for encoder in arms.encoders:
                if encoder in arm.faces and encoder in against.faces:
                    yield from leakage.leakage_contrast(arm, against, encoder, effort)

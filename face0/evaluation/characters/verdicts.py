"""Characters: is it the same face in every scene? Verdicts, from the results of a sweep faces x scenes x seeds.

A character is a face of the bank, a scene a prompt. Two images of a character are compared where they share neither
scene nor seed (as far as there are several of each), and so are images of two characters: the same seed or scene would
make any two images alike.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from face0.errors import UsageError
from face0.evaluation.characters.figures import (
    COPIES,
    FACE_FOUND,
    FIGURES,
    PER_IMAGE,
    Figure,
    Images,
    image_features,
)
from face0.evaluation.encoders import CONDITIONING, JUDGE, NO_JUDGE, NO_VECTORS
from face0.evaluation.measures import CHARACTERS, Measure, as_records, json_numbers, measured, measures_table
from face0.evaluation.notes import said_once
from face0.statistics.pairs import Pairs, comparable_pairs
from face0.statistics.resampling import Estimate, from_draws, proportion_interval, weights
from face0.statistics.verification import Spread, Verification, auc_and_equal_error, spread, verify
from schemas.measures import SUMMARY_VERSION, Unmeasured

REQUEST_COLUMNS = ["request_id", "prompt", "face_id", "seed"]
RESULT_COLUMNS = [
    "request_id",
    "width",
    "height",
    "thumbnail",
    "faces_found",
    "box",
    "landmarks",
    "identity_vector",
    "judge_vector",
    "similarity",
    "judge_similarity",
    "text_alignment",
]
RESAMPLES = 999


@dataclass(frozen=True, eq=False, kw_only=True)
class RealPairs:
    """Similarities of labelled photographs, by one encoder: what there is at best, and between strangers.

    Attributes:
        name: of the photographs.
        encoder: ``judge`` or ``conditioning``.
        same: cosines of two photographs of one person [g], the ceiling.
        different: cosines of photographs of two people [m], the impostor floor.
    """

    name: str
    encoder: str
    same: np.ndarray
    different: np.ndarray


@dataclass(frozen=True, kw_only=True)
class RealComparison:
    """What a comparison of photographs comes to.

    Attributes:
        name: of the photographs.
        encoder: ``judge`` or ``conditioning``.
        auc: the probability that two photographs of one person are more alike than those of two people, 0..1.
        equal_error: the error rate at which both kinds of error are equally frequent, 0..1.
        threshold: the cosine at which they are.
        same: cosines of two photographs of one person.
        different: cosines of photographs of two people.
    """

    name: str
    encoder: str
    auc: float
    equal_error: float
    threshold: float
    same: Spread
    different: Spread


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One character, or one scene. Each of FIGURES is in ``measures``, or in ``unmeasured`` if it could not be had.

    ``within``: mean similarity of its images to the same character's, see ``image_pairs``; ``between``: to those of
    others; ``auc``: the probability that the first is larger; each by encoder, ``picture`` or ``pose``. Besides, the
    means of PER_IMAGE.

    Attributes:
        name: face of the bank, or prompt.
        requested: requests.
        generated: images.
        found: images with a face.
        found_low: low end of the 95 % interval of the share of the generated images that have one.
        found_high: high end.
        measures: see above, by what they are of.
        unmeasured: why there is no such figure.
    """

    name: str
    requested: int
    generated: int
    found: int
    found_low: float
    found_high: float
    measures: dict[Figure, float]
    unmeasured: dict[Figure, Unmeasured]

    @property
    def found_share(self) -> float:
        """The share of the generated images that shows a face, 0..1; NaN without any."""
        return self.found / self.generated if self.generated else float("nan")

    def to_dict(self) -> dict[str, Any]:
        """The verdict as JSON values, with every measure: null, where it is among the unmeasured."""
        return {
            **asdict(self),
            "measures": {str(figure): self.measures.get(figure) for figure in FIGURES},
            "unmeasured": {str(figure): reason for figure, reason in self.unmeasured.items()},
        }


@dataclass(frozen=True, kw_only=True)
class Characters:
    """The verdicts on a set of characters, with all figures.

    Attributes:
        encoders: that saw the faces, the one to go by first.
        verifications: over all characters, by encoder and by COPIES; NaN where it could not be had.
        real: the same of photographs, where they were given.
        characters: a verdict on each, the worst first: by the first encoder's ``auc``, then by the faces found.
        scenes: a verdict on each, the worst first.
        measures: means over characters with intervals, and each character's and scene's figures.
        notes: what could not be measured, or must be known of what was, a sentence each.
    """

    encoders: Sequence[str]
    verifications: dict[str, Verification]
    real: Sequence[RealComparison]
    characters: Sequence[Verdict]
    scenes: Sequence[Verdict]
    measures: Sequence[Measure]
    notes: Sequence[str]

    def table(self) -> pa.Table:
        """The measures, of the schema MEASURES: ``group`` is the character, ``prompt`` the scene."""
        return measures_table(self.measures)

    def to_dict(self) -> dict[str, Any]:
        """The verdicts as JSON values."""
        overall = [row for row in self.measures if row.group is None and row.prompt is None]
        reasons = {row.encoder: row.reason for row in overall if row.measure == "auc"}
        verdicts = {
            "verifications": {
                name: {**asdict(verification), "reason": reasons[name]}
                for name, verification in self.verifications.items()
            },
            "characters": [verdict.to_dict() for verdict in self.characters],
            "scenes": [verdict.to_dict() for verdict in self.scenes],
        }
        return json_numbers({"version": SUMMARY_VERSION, **asdict(self), **verdicts, "measures": as_records(overall)})


def characters(
    results: pa.Table,
    requests: pa.Table,
    *,
    real: Sequence[RealPairs] = (),
    seed: int = 0,
) -> Characters:
    """Computes the verdicts.

    Args:
        results: RESULT_COLUMNS of what was generated.
        requests: REQUEST_COLUMNS of all that was asked for.
        real: photographs to compare with.
        seed: of all that is drawn.

    Raises:
        UsageError: no character, or results of other requests.
    """
    requests = requests.filter(pc.not_equal(requests["face_id"], ""))
    names, scenes = (pc.unique(requests[column]).to_pylist() for column in ("face_id", "prompt"))
    asked = _asked(results, requests, names)
    who, where = _codes(asked["face_id"], names), _codes(asked["prompt"], scenes)
    drawn, seeds = np.random.default_rng(seed), asked["seed"].to_numpy()
    features = image_features(results)
    images = Images(
        has_face=pc.greater(results["faces_found"], 0).to_numpy(),
        features=features,
        pairs={name: comparable_pairs(array, who, where, seeds, drawn) for name, array in features.items()},
        per_image={name: results[name].cast(pa.float64()).to_numpy() for name in PER_IMAGE},
        characters=len(names),
    )
    of_characters = _verdicts(who, requests["face_id"], names, images)
    of_scenes = _verdicts(where, requests["prompt"], scenes, images)
    first = next((name for name in (JUDGE, CONDITIONING) if images.comparable(name)), "")
    return Characters(
        encoders=images.encoders,
        verifications={name: _verification(compared, who) for name, compared in images.pairs.items()},
        real=[_real(photographs) for photographs in real],
        characters=sorted(of_characters, key=lambda verdict: _badness(verdict, first)),
        scenes=sorted(of_scenes, key=lambda verdict: _badness(verdict, first)),
        measures=[
            *_overall(of_characters, images, seed),
            *_single(of_characters, "group"),
            *_single(of_scenes, "prompt"),
        ],
        notes=_notes(images),
    )


def _asked(results: pa.Table, requests: pa.Table, names: Sequence[str]) -> pa.Table:
    """The request of each result. Raises UsageError if there is none, or no character."""
    if not names:
        raise UsageError("no request has a face: a character is a face of the bank")
    place = pc.index_in(results["request_id"], value_set=requests["request_id"].combine_chunks())
    if place.null_count:
        raise UsageError(
            f"{place.null_count:,} results are of no request with a face: give the manifest of these renders"
        )
    return requests.take(place)


def _verification(compared: Pairs, who: np.ndarray) -> Verification:
    return verify(
        compared.within_similarity,
        compared.between_similarity,
        who[compared.within[:, 0]],
        who[compared.between],
    )


def _verdicts(
    codes: np.ndarray,
    requested: pa.ChunkedArray,
    titles: list[str],
    images: Images,
) -> list[Verdict]:
    """A verdict on each character or scene: ``codes`` says which of the ``titles`` each image is of."""
    counts = np.bincount(_codes(requested, titles), minlength=len(titles))
    return [_verdict(title, int(counts[code]), codes == code, images) for code, title in enumerate(titles)]


def _codes(column: pa.ChunkedArray, names: list[str]) -> np.ndarray:
    return np.asarray(pc.index_in(column, value_set=pa.array(names)).to_numpy(), int)


def _verdict(name: str, requested: int, mine: np.ndarray, images: Images) -> Verdict:
    """The figures of the images under a mask, bool [n]."""
    figures, has_face = images.figures(mine), images.has_face
    low, high = proportion_interval(has_face[mine], np.arange(mine.sum())) if mine.any() else (np.nan, np.nan)
    return Verdict(
        name=name,
        requested=requested,
        generated=int(mine.sum()),
        found=int(has_face[mine].sum()),
        found_low=low,
        found_high=high,
        measures={figure: value for figure, value in figures.items() if np.isfinite(value)},
        unmeasured={figure: images.reason(figure, mine) for figure, value in figures.items() if not np.isfinite(value)},
    )


def _badness(verdict: Verdict, encoder: str) -> tuple[float, float, str]:
    """Sorts the worst first; what could not be told at all is worst."""
    share = verdict.found_share
    return verdict.measures.get(Figure(encoder, "auc"), -1.0), share if np.isfinite(share) else -1.0, verdict.name


def _overall(of_characters: Sequence[Verdict], images: Images, seed: int) -> list[Measure]:
    """Means over characters, each weighing the same, with bootstrap intervals over characters."""
    rows = []
    every = np.ones(len(images.has_face), bool)
    for figure in sorted((*FIGURES, FACE_FOUND), key=str):
        values = np.array([_value(verdict, figure) for verdict in of_characters])
        finite = np.isfinite(values)
        reason = None if finite.any() else images.reason(figure, every)
        estimate = _mean_of_characters(values, finite, seed) if finite.any() else Estimate(np.nan)
        rows.append(_row(figure, estimate, len(every), over=CHARACTERS, reason=reason))
    return rows


def _mean_of_characters(values: np.ndarray, finite: np.ndarray, seed: int) -> Estimate:
    drawn = weights(np.flatnonzero(finite), RESAMPLES, seed).astype(float)
    return from_draws(values[finite].mean(), drawn @ values[finite] / drawn.sum(axis=1), int(finite.sum()))


def _single(verdicts: Sequence[Verdict], field: str) -> list[Measure]:
    """Each verdict's figures; only the share of faces found has an interval."""
    rows = []
    for verdict in verdicts:
        share = Estimate(verdict.found_share, float("nan"), verdict.found_low, verdict.found_high)
        reason = None if verdict.generated else Unmeasured.NO_IMAGE
        rows.append(_row(FACE_FOUND, share, verdict.generated, reason=reason, **{field: verdict.name}))
        for figure in FIGURES:
            estimate, reason = Estimate(_value(verdict, figure)), verdict.unmeasured.get(figure)
            rows.append(_row(figure, estimate, verdict.generated, reason=reason, **{field: verdict.name}))
    return rows


def _row(figure: Figure, estimate: Estimate, images: int, **fields: Any) -> Measure:
    null_value = 0.5 if figure.measure == "auc" else None
    return measured(estimate, **figure._asdict(), arm="", null_value=null_value, images=images, **fields)


def _value(verdict: Verdict, figure: Figure) -> float:
    return verdict.found_share if figure == FACE_FOUND else verdict.measures.get(figure, float("nan"))


def _real(pairs: RealPairs) -> RealComparison:
    auc, equal_error, threshold = auc_and_equal_error(pairs.same, pairs.different)
    return RealComparison(
        name=pairs.name,
        encoder=pairs.encoder,
        auc=auc,
        equal_error=equal_error,
        threshold=threshold,
        same=spread(pairs.same),
        different=spread(pairs.different),
    )


def _notes(images: Images) -> list[str]:
    notes = [] if images.encoders else [("", NO_VECTORS)]
    if images.encoders and JUDGE not in images.encoders:
        notes.append(("", NO_JUDGE))
    if images.characters < 2:
        sentence = "One character: nothing tells whether its images are more alike than those of two."
        notes.append(("", sentence))
    for name in (name for name in images.pairs if images.comparable(name)):
        compared = images.pairs[name]
        if not compared.scenes_apart or not compared.seeds_apart:
            alike = " and ".join(
                word for word, apart in (("scene", compared.scenes_apart), ("seed", compared.seeds_apart)) if not apart
            )
            notes.append((name, f"images of one {alike} had to be compared, which makes them alike for that alone."))
        if compared.drawn:
            notes.append((name, f"of the pairs between characters {len(compared.between):,} were drawn at random."))
    none = [name for name in (*images.encoders, *COPIES) if not images.comparable(name)]
    notes += [(name, "no two images of one character, or of two, to compare.") for name in none]
    if not np.isfinite(images.per_image["text_alignment"]).any():
        notes.append(("", "No text alignment: the images were not measured by CLIP."))
    if missing := int((~images.has_face).sum()):
        count = len(images.has_face)
        sentence = f"{missing:,} of {count:,} images have no face that was found; similarities are of the rest."
        notes.append(("", sentence))
    return said_once(notes)

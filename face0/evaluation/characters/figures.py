"""What is measured of characters and scenes, and why a measure cannot be had."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from face0.evaluation.characters.face_pictures import face_pictures
from face0.evaluation.characters.head_pose import result_directions
from face0.evaluation.encoders import CONDITIONING, JUDGE, WITHOUT_ENCODER
from face0.evaluation.vectors import result_vectors
from face0.statistics.pairs import Pairs
from face0.statistics.verification import auc_and_equal_error
from schemas.measures import Unmeasured

# In place of encoders: the pixels of the faces, and which way the heads are turned. Both tell a face that is copied
PICTURE, POSE = "picture", "pose"
COPIES = (PICTURE, POSE)
PER_IMAGE = ("similarity", "judge_similarity", "text_alignment")  # columns that are averaged


class Figure(NamedTuple):
    """What a figure is of. In files it is named ``encoder_measure``.

    Attributes:
        encoder: by which faces were compared, or PICTURE or POSE; empty for what needs no pairs.
        measure: ``within``, ``between`` or ``auc`` of an encoder; one of PER_IMAGE, or ``face_found``.
    """

    encoder: str
    measure: str

    def __str__(self) -> str:
        return f"{self.encoder}_{self.measure}" if self.encoder else self.measure


FACE_FOUND = Figure("", "face_found")
# What is measured of every character and scene, and of all of them
FIGURES = (
    *(Figure(name, measure) for name in (JUDGE, CONDITIONING, *COPIES) for measure in ("within", "between", "auc")),
    *(Figure("", column) for column in PER_IMAGE),
)


def image_features(results: pa.Table) -> dict[str, np.ndarray]:
    """What images are compared by: the vectors of encoders, pictures and poses, each [n, d] with NaN for none."""
    vectors = {
        JUDGE: result_vectors(results["judge_vector"]),
        CONDITIONING: result_vectors(results["identity_vector"]),
    }
    none = np.full((results.num_rows, 1), np.nan)
    return {
        **{name: none if array is None else array for name, array in vectors.items()},
        PICTURE: face_pictures(results),
        POSE: result_directions(results["landmarks"]),
    }


@dataclass(frozen=True, eq=False, kw_only=True)
class Images:
    """What there is to measure of n images.

    Attributes:
        has_face: whether one was found, bool [n].
        features: what images are compared by, see ``image_features``.
        pairs: the images that are compared, by the same names.
        per_image: columns of PER_IMAGE, float64 [n], NaN where there is none.
        characters: that were asked for.
    """

    has_face: np.ndarray
    features: dict[str, np.ndarray]
    pairs: dict[str, Pairs]
    per_image: dict[str, np.ndarray]
    characters: int

    @property
    def encoders(self) -> list[str]:
        """Those that saw a face."""
        return [name for name in (JUDGE, CONDITIONING) if np.isfinite(self.features[name]).any()]

    def comparable(self, name: str) -> bool:
        """Whether there are images of one character, and of two, to compare."""
        return bool(len(self.pairs[name].within) and len(self.pairs[name].between))

    def figures(self, mine: np.ndarray) -> dict[Figure, float]:
        """Each of FIGURES for the images under a mask, bool [n]; NaN where it cannot be had."""
        figures: dict[Figure, float] = {}
        for name, compared in self.pairs.items():
            within = compared.within_similarity[mine[compared.within].any(axis=1)]
            between = compared.between_similarity[mine[compared.between].any(axis=1)]
            figures[Figure(name, "within")] = _mean(within)
            figures[Figure(name, "between")] = _mean(between)
            figures[Figure(name, "auc")] = auc_and_equal_error(within, between)[0]
        return figures | {Figure("", column): _mean(values[mine]) for column, values in self.per_image.items()}

    def reason(self, figure: Figure, mine: np.ndarray) -> Unmeasured:
        """Why a figure cannot be had of the images under a mask, bool [n]."""
        if not mine.any():
            return Unmeasured.NO_IMAGE
        if figure.measure == "text_alignment":
            return Unmeasured.NO_CLIP
        seen_by = {"similarity": CONDITIONING, "judge_similarity": JUDGE}.get(figure.measure, figure.encoder)
        if not self.has_face[mine].any():
            return Unmeasured.NO_FACE
        if seen_by in WITHOUT_ENCODER and seen_by not in self.encoders:
            return WITHOUT_ENCODER[seen_by]
        if figure.measure in PER_IMAGE:
            return Unmeasured.NO_INPUT if seen_by == CONDITIONING else Unmeasured.NO_PORTRAIT
        if not np.isfinite(self.features[seen_by][mine]).any():
            return Unmeasured.SMALL_FACES if seen_by == PICTURE else Unmeasured.NO_FACE
        if self.characters < 2 and figure.measure != "within":
            return Unmeasured.ONE_CHARACTER
        return Unmeasured.NO_PAIR


def _mean(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")

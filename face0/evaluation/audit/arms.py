"""The arms of an audit: the images of one label and one set of settings, what was asked for and found."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from face0.errors import UsageError
from face0.evaluation.encoders import CONDITIONING, JUDGE
from face0.evaluation.measures import arm_title
from face0.evaluation.vectors import result_vectors
from face0.generation.results import variants
from face0.statistics.design import Design, share_groups
from schemas.requests import LABEL, SETTINGS

BASE, ZERO, RANDOM, FIXED = "base", "zero", "random", "fixed"  # arms, as labels of a manifest
REQUEST_COLUMNS = ["request_id", *(field.name for field in SETTINGS), LABEL.name]
RESULT_COLUMNS = ["request_id", "image", "flagged", "faces_found", "identity_vector", "judge_vector", "text_alignment"]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """Where the requests of one prompt in one arm went.

    ``requested = generated + failed`` and ``generated = no_face + one_face + several_faces``: nothing is filled in.

    Attributes:
        arm: name of the arm.
        settings: those that vary between arms, in words.
        prompt: empty in the totals of an arm.
        requested: requests.
        generated: images.
        failed: requests without an image.
        no_face: images in which no face was found.
        one_face: images with one.
        several_faces: images with more, of which the largest is measured.
        flagged: images that the base's safety checker flagged; None: it has none.
        dropped: images that were measured, but not kept.
    """

    arm: str
    settings: str
    prompt: str
    requested: int
    generated: int
    failed: int
    no_face: int
    one_face: int
    several_faces: int
    flagged: int | None
    dropped: int

    @property
    def arm_title(self) -> str:
        """Name and settings of the arm."""
        return arm_title(self.arm, self.settings)


@dataclass(frozen=True, eq=False, kw_only=True)
class Arm:
    """The generated images of one label and one set of settings.

    Attributes:
        name: its label in the manifest.
        settings: those that vary, in words.
        design: prompt, seed and face of each image.
        found: whether a face was, bool [n].
        text: alignment with the text [n], NaN where it was not measured.
        faces: unit vectors by encoder [n, d], NaN in images without a face.
    """

    name: str
    settings: str
    design: Design
    found: np.ndarray
    text: np.ndarray
    faces: dict[str, np.ndarray]

    @property
    def title(self) -> str:
        """Name and settings."""
        return arm_title(self.name, self.settings)

    def seen(self, encoder: str) -> tuple[np.ndarray, Design]:
        """The face vectors [m, d] of the images that have one, and their design."""
        vectors = self.faces[encoder]
        present = np.isfinite(vectors[:, 0])
        return vectors[present], self.design.take(present)


@dataclass(frozen=True, eq=False, kw_only=True)
class Arms:
    """All arms of a sweep, with the prompts that they share.

    Attributes:
        prompts: of all arms; designs name them by their places.
        arms: those with images.
        cells: counts of each prompt in each arm.
    """

    prompts: list[str]
    arms: list[Arm]
    cells: list[Cell]

    @property
    def encoders(self) -> list[str]:
        """The encoders of which there are vectors, the one to go by first."""
        return [name for name in (JUDGE, CONDITIONING) if any(name in arm.faces for arm in self.arms)]


def read_arms(results: pa.Table, requests: pa.Table) -> Arms:
    """Sorts a sweep's requests and results into arms.

    Args:
        results: RESULT_COLUMNS of what was generated.
        requests: REQUEST_COLUMNS of all that was asked for.

    Raises:
        UsageError: a label is missing, or results were not asked for.
    """
    if "" in (labels := pc.unique(requests["label"]).to_pylist()):
        raise UsageError("requests have an empty label: an audit's manifest names the arm of each in its label")
    place = {request: i for i, request in enumerate(requests["request_id"].to_pylist())}
    made = [place.get(request) for request in results["request_id"].to_pylist()]
    if unknown := sum(row is None for row in made):
        raise UsageError(f"{unknown:,} results are of no request of the manifest: give the manifest of these renders")
    prompts = pc.unique(requests["prompt"]).to_pylist()
    settings = np.array(variants(requests), object)
    label = np.array(requests["label"].to_pylist())
    prompt = np.array(pc.index_in(requests["prompt"], value_set=pa.array(prompts)).to_numpy(), int)
    row_of = np.full(requests.num_rows, -1)
    row_of[np.array(made, int)] = np.arange(results.num_rows)
    columns = _columns(results)

    arms, cells = [], []
    for name in labels:
        for kind in sorted(set(settings[label == name])):
            asked = np.flatnonzero((label == name) & (settings == kind))
            done = asked[row_of[asked] >= 0]
            design = Design(
                prompt=prompt[done],
                seed=requests["seed"].to_numpy()[done],
                face=np.array(requests["face_id"].to_pylist())[done].astype(str),
                prompts=len(prompts),
            )
            rows = row_of[done]
            faces = {key: value[rows] for key, value in columns["faces"].items() if np.isfinite(value[rows]).any()}
            has_face = columns["count"][rows] > 0
            arms.append(
                Arm(name=name, settings=kind, design=design, found=has_face, text=columns["text"][rows], faces=faces)
            )
            cells += _cells(
                name, kind, prompts, prompt[asked], prompt[done], {column: columns[column][rows] for column in _COUNTED}
            )
    arms = [arm for arm in arms if len(arm.found)]
    if not arms:
        raise UsageError("no request was rendered: see the failures of the renders")
    designs = share_groups([arm.design for arm in arms])
    arms = [replace(arm, design=design) for arm, design in zip(arms, designs, strict=True)]
    return Arms(prompts=prompts, arms=arms, cells=cells)


_COUNTED = ("count", "flagged", "dropped")


def _columns(results: pa.Table) -> dict[str, Any]:
    vectors = {
        JUDGE: result_vectors(results["judge_vector"]),
        CONDITIONING: result_vectors(results["identity_vector"]),
    }
    flagged = results["flagged"]
    return {
        "count": results["faces_found"].to_numpy(),
        "text": results["text_alignment"].cast(pa.float64()).to_numpy(),
        "flagged": np.array([np.nan if flag is None else flag for flag in flagged.to_pylist()], float),
        "dropped": results["image"].is_null().to_numpy(),
        "faces": {name: value for name, value in vectors.items() if value is not None},
    }


def _cells(
    arm: str, settings: str, prompts: list[str], asked: np.ndarray, done: np.ndarray, columns: dict[str, np.ndarray]
) -> list[Cell]:
    cells = []
    for code, prompt in enumerate(prompts):
        mine = done == code
        count, flagged = columns["count"][mine], columns["flagged"][mine]
        requested, generated = int((asked == code).sum()), int(mine.sum())
        if requested:
            cells.append(
                Cell(
                    arm=arm,
                    settings=settings,
                    prompt=prompt,
                    requested=requested,
                    generated=generated,
                    failed=requested - generated,
                    no_face=int((count == 0).sum()),
                    one_face=int((count == 1).sum()),
                    several_faces=int((count > 1).sum()),
                    flagged=None if np.isnan(flagged).all() else int(np.nansum(flagged)),
                    dropped=int(columns["dropped"][mine].sum()),
                )
            )
    return cells


def totals(cells: Sequence[Cell]) -> list[Cell]:
    """The cells of each arm added up, with an empty prompt."""
    sums: dict[tuple[str, str], Cell] = {}
    for cell in cells:
        key = cell.arm, cell.settings
        sums[key] = _sum(sums[key], cell) if key in sums else replace(cell, prompt="")
    return list(sums.values())


def _sum(one: Cell, other: Cell) -> Cell:
    counts: dict[str, Any] = {}
    for name in _COUNTS:
        counted = [value for cell in (one, other) if (value := getattr(cell, name)) is not None]
        counts[name] = sum(counted) if counted else None
    return replace(one, **counts)


_COUNTS = [field.name for field in fields(Cell) if field.name not in ("arm", "settings", "prompt")]

"""The rows of an audit: which there are follows from what was asked for, and one without a value says why."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from face0.evaluation.audit.arms import BASE, ZERO, Arm, Arms
from face0.evaluation.audit.labels import Labels
from face0.evaluation.encoders import CONDITIONING, JUDGE, WITHOUT_ENCODER
from face0.evaluation.measures import Measure, arm_title
from schemas.measures import Unmeasured

OF_IMAGES = ("face_found", "text_alignment")
BY_ENCODER = ("similarity", "energy_distance", "leakage", "follows_vector", "vendi_score", "effective_rank")
BY_CONDITIONING = (  # which made the vectors that were asked for, and the reference
    "follows_input",
    "distance_to_reference",
    "cluster_entropy",
    "divergence_from_others",
    "divergence_from_reference",
)
CAUSES = ("words", "face", "seed", "face_and_seed")  # groups of variance_share
GROUP_SHARES = ("group_share", "group_share_whatever_is_missing")
SUBTRACTED = ("similarity", "energy_distance", "leakage")  # of two arms, by each encoder

_AMONG_PROMPTS = ("energy_distance", "leakage", "follows_vector", "divergence_from_others")
_NOT_ENOUGH = {  # why a measure has no value of an arm that has images, and faces where it takes them
    "similarity": Unmeasured.FEW_PAIRS,
    "energy_distance": Unmeasured.FEW_PAIRS,
    "variance_share": Unmeasured.NOT_APART,
    "leakage": Unmeasured.FEW_GROUPS,
    "follows_vector": Unmeasured.ONE_VECTOR,
    "follows_input": Unmeasured.ONE_INPUT,
    "distance_to_reference": Unmeasured.FEW_REFERENCES,
    "cluster_entropy": Unmeasured.FEW_REFERENCES,
    "divergence_from_others": Unmeasured.FEW_REFERENCES,
    "divergence_from_reference": Unmeasured.FEW_REFERENCES,
    "group_share": Unmeasured.NO_MIXTURE,
    "group_share_whatever_is_missing": Unmeasured.BOUNDS,
}


class ArmKey(NamedTuple):
    """An arm by what was asked for, whether or not it has images: its label and the settings that vary."""

    name: str
    settings: str

    @property
    def title(self) -> str:
        """Name and settings."""
        return arm_title(*self)


@dataclass(frozen=True, kw_only=True)
class Opponent:
    """What an arm is compared with.

    Attributes:
        title: of the other arm, or its name where there is no such arm.
        key: that arm; None: there is none to compare with.
        reason: why there is none.
    """

    title: str
    key: ArmKey | None = None
    reason: Unmeasured | None = None


def arm_keys(arms: Arms) -> list[ArmKey]:
    """All arms that were asked for."""
    return list(dict.fromkeys(ArmKey(cell.arm, cell.settings) for cell in arms.cells))


def opponents(arm: ArmKey, keys: Sequence[ArmKey]) -> Iterator[Opponent]:
    """Base and zero face for an arm with a face, the base for the zero face, nothing for the base."""
    names = {BASE: (), ZERO: (BASE,)}.get(arm.name, (BASE, ZERO))
    for name in names:
        rivals = [key for key in keys if key.name == name]
        same = [key for key in rivals if key.settings == arm.settings]
        if same or len(rivals) == 1:
            (rival,) = same or rivals
            yield Opponent(title=rival.title, key=rival)
        else:
            yield Opponent(title=name, reason=Unmeasured.OTHER_SETTINGS if rivals else Unmeasured.NO_ARM)


def listed(arms: Arms, labels: Labels | None) -> Iterator[Measure]:
    """Every row that an audit of these arms has, without its figures.

    Args:
        arms: what was asked for; what came of it makes no difference.
        labels: of faces, if there are any.
    """
    keys = arm_keys(arms)
    for arm in keys:
        common: dict[str, Any] = {"arm": arm.name, "settings": arm.settings}
        prompts = [cell.prompt for cell in arms.cells if (cell.arm, cell.settings) == arm]
        for prompt in (*prompts, None):
            yield from (Measure(measure=measure, prompt=prompt, **common) for measure in OF_IMAGES)
        for encoder in (JUDGE, CONDITIONING):
            measures = BY_ENCODER if encoder == JUDGE else BY_ENCODER + BY_CONDITIONING
            for measure in measures:
                for prompt in (*prompts, None):
                    yield Measure(measure=measure, encoder=encoder, prompt=prompt, **common)
            for group in CAUSES:
                yield Measure(measure="variance_share", encoder=encoder, group=group, **common)
        if labels is not None:
            for group in labels.names:
                yield Measure(measure="face_found", group=labels.asked_for(group), **common)
                for measure in GROUP_SHARES:
                    for prompt in (*prompts, None):
                        yield Measure(
                            measure=measure,
                            encoder=CONDITIONING,
                            prompt=prompt,
                            group=labels.group(group),
                            **common,
                        )
        for opponent in opponents(arm, keys):
            for measure in OF_IMAGES:
                yield Measure(measure=measure, against=opponent.title, **common)
            for encoder in (JUDGE, CONDITIONING):
                for measure in SUBTRACTED:
                    yield Measure(measure=measure, encoder=encoder, against=opponent.title, **common)
    if labels is not None:
        yield Measure(measure="probe_accuracy", encoder=CONDITIONING, arm="", group=labels.name)


def completed(rows: Iterable[Measure], arms: Arms, labels: Labels | None, *, inputs: bool) -> list[Measure]:
    """All rows of an audit: those that were computed, and between them those that could not be, with their reasons.

    Args:
        rows: that were computed.
        arms: of the audit.
        labels: of faces, if there are any.
        inputs: whether the vectors that were asked for are known.
    """
    computed = {_key(row): row for row in rows}
    reasons = _Reasons(arms, inputs)
    every = []
    for empty in listed(arms, labels):
        row = computed.pop(_key(empty), None)
        if row is None or row.value is None:
            row = replace(row or empty, reason=reasons.of(empty, computed=row is not None))
        every.append(row)
    assert not computed, f"rows that are not listed: {list(computed)[:3]}"
    return every


def _key(row: Measure) -> tuple[str | None, ...]:
    return row.measure, row.encoder, row.arm, row.settings, row.against, row.prompt, row.group


class _Reasons:
    """Says why rows have no value."""

    def __init__(self, arms: Arms, inputs: bool) -> None:
        self._inputs = inputs
        self._keys = arm_keys(arms)
        self._arms = {ArmKey(arm.name, arm.settings): arm for arm in arms.arms}
        self._code = {prompt: code for code, prompt in enumerate(arms.prompts)}
        self._encoders = arms.encoders
        self._any_face = any(arm.found.any() for arm in arms.arms)

    def of(self, row: Measure, computed: bool) -> Unmeasured:
        """The reason of a row; ``computed``: it was tried."""
        key = ArmKey(row.arm, row.settings)
        if row.against is None:
            return self._lacking(row, key) or self._not_enough(row, computed)
        opponent = next(opponent for opponent in opponents(key, self._keys) if opponent.title == row.against)
        if opponent.key is None:
            assert opponent.reason is not None
            return opponent.reason
        return self._lacking(row, key) or self._lacking(row, opponent.key) or self._not_enough(row, computed)

    def _lacking(self, row: Measure, key: ArmKey) -> Unmeasured | None:
        """What an arm, or a prompt of it, lacks; None: it has images, and faces by the encoder."""
        arm = self._arms.get(key)
        if arm is None:
            return Unmeasured.NO_IMAGE
        images = np.ones(len(arm.found), bool) if row.prompt is None else arm.design.prompt == self._code[row.prompt]
        if not images.any():
            return Unmeasured.NO_IMAGE
        if row.measure == "text_alignment":
            return None if np.isfinite(arm.text[images]).any() else Unmeasured.NO_CLIP
        return self._no_vector(arm, row.encoder, images) if row.encoder else None

    def _no_vector(self, arm: Arm, encoder: str, images: np.ndarray) -> Unmeasured | None:
        if encoder not in self._encoders and self._any_face:
            return WITHOUT_ENCODER[encoder]
        vectors = arm.faces.get(encoder)
        if vectors is None or not np.isfinite(vectors[images, 0]).any():
            return Unmeasured.NO_FACE
        return None

    def _not_enough(self, row: Measure, computed: bool) -> Unmeasured:
        if row.measure == "face_found" and row.group is not None:
            return Unmeasured.NOT_ASKED_FOR
        if row.measure == "follows_input" and not self._inputs:
            return Unmeasured.NO_INPUT
        if row.measure in _AMONG_PROMPTS and self._prompts_with_faces(row) < 2:
            return Unmeasured.ONE_PROMPT
        reason = _NOT_ENOUGH.get(row.measure, Unmeasured.FEW_FACES)
        return Unmeasured.FEW_FACES if computed and reason == Unmeasured.FEW_REFERENCES else reason

    def _prompts_with_faces(self, row: Measure) -> int:
        arm = self._arms[ArmKey(row.arm, row.settings)]
        return len(np.unique(arm.seen(row.encoder)[1].prompt))

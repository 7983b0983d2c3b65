"""What needs no vector of a face: how often there is one, and how well the text is followed."""

from collections.abc import Iterator, Mapping

import numpy as np

from face0.evaluation.audit.arms import Arm
from face0.evaluation.audit.by_prompt import ByPrompt, row_means
from face0.evaluation.audit.effort import Resampling
from face0.evaluation.audit.labels import Labels
from face0.evaluation.measures import Measure, measured
from face0.statistics.resampling import Estimate, false_discovery, p_value, permutations_within, proportion_interval


def image_measures(arm: Arm, effort: Resampling) -> Iterator[ByPrompt]:
    """What needs no face: how often there is one, and how well the text is followed."""
    yield row_means("face_found", "", arm.found.astype(float), arm.design, effort)
    if np.isfinite(arm.text).any():
        yield row_means("text_alignment", "", arm.text, arm.design, effort)


def found_rows(arm: Arm, by_prompt: ByPrompt, prompts: list[str], effort: Resampling) -> Iterator[Measure]:
    """The share of images with a face, with Wilson's intervals, and whether it is the same for all prompts.

    p: of a share as far from the mean of all; for all prompts together, of shares that differ as much.
    """
    design, has_face = arm.design, arm.found.astype(float)
    member = np.eye(design.prompts)[design.prompt]
    counts = np.maximum(member.sum(axis=0), 1)
    null = has_face[permutations_within(design.blocks, effort.permutations, effort.seed + 2)] @ member / counts
    centre = null.mean(axis=0)
    away, null_away = np.abs(by_prompt.values - centre), np.abs(null - centre)
    p = np.array(
        [p_value(distance, null_distances) for distance, null_distances in zip(away, null_away.T, strict=True)]
    )
    asked = by_prompt.images > 0
    q = false_discovery(np.where(asked, p, np.nan))
    fields = {"measure": "face_found", "arm": arm.name, "settings": arm.settings}
    for code in np.flatnonzero(asked):
        mine = design.prompt == code
        low, high = proportion_interval(arm.found[mine], design.cluster[mine])
        estimate = Estimate(by_prompt.values[code], float("nan"), low, high)
        yield measured(estimate, prompt=prompts[code], p=p[code], q=q[code], images=int(counts[code]), **fields)
    low, high = proportion_interval(arm.found, design.cluster)
    spread, null_spread = (away[asked] ** 2).sum(), (null_away[:, asked] ** 2).sum(axis=1)
    yield measured(
        Estimate(has_face.mean(), float("nan"), low, high),
        p=p_value(spread, null_spread),
        images=len(has_face),
        **fields,
    )


def found_by_group(arm: Arm, labels: Labels) -> Iterator[Measure]:
    """The share of images with a face, by the label of the vector that was asked for."""
    group_of: Mapping[str, str] = dict(zip(labels.face_ids, labels.groups, strict=True))
    groups = np.array([group_of.get(face, "") for face in arm.design.face])
    for group in np.unique(groups[groups != ""]):
        mine = groups == group
        low, high = proportion_interval(arm.found[mine], arm.design.take(mine).cluster)
        yield measured(
            Estimate(arm.found[mine].mean(), float("nan"), low, high),
            measure="face_found",
            arm=arm.name,
            settings=arm.settings,
            group=labels.asked_for(str(group)),
            images=int(mine.sum()),
        )

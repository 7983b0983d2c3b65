"""Shares of labelled groups among the faces of each prompt, by a probe."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from face0.evaluation.audit.arms import Arm
from face0.evaluation.audit.effort import Resampling
from face0.evaluation.audit.labels import Labels
from face0.evaluation.measures import Measure, measured
from face0.statistics.probe import Probe
from face0.statistics.resampling import Estimate, from_draws


def group_measures(
    arm: Arm, encoder: str, labels: Labels, probe: Probe, prompts: list[str], effort: Resampling
) -> Iterator[Measure]:
    """Shares of the groups of a label by the probe; and what they may be at most and at least if every image counts."""
    vectors, design = arm.seen(encoder)
    member = np.eye(design.prompts)[design.prompt]
    occurs = member.any(axis=0)
    # The last set is all prompts alike, whatever the number of faces found
    sets = np.concatenate([member, (member / np.maximum(member.sum(axis=0), 1)).sum(axis=1, keepdims=True)], axis=1)
    values, draws = probe.shares(
        probe.predict(vectors), sets, design.weights(effort.resamples, effort.seed), effort.seed
    )
    every = np.bincount(arm.design.prompt, minlength=design.prompts)
    rate = np.divide(member.sum(axis=0), every, out=np.zeros(design.prompts), where=every > 0)
    rate = np.append(rate, rate[every > 0].mean())
    target = labels.shares(list(probe.names))
    for place, prompt in enumerate([*prompts, None]):
        if prompt is not None and not occurs[place]:
            continue
        images = int(member.sum() if prompt is None else member[:, place].sum())
        for code, group in enumerate(probe.names):
            fields: dict[str, Any] = {
                "encoder": encoder,
                "arm": arm.name,
                "settings": arm.settings,
                "prompt": prompt,
                "group": labels.group(str(group)),
            }
            estimate = _share(from_draws(values[place, code], draws[:, place, code], design.clusters))
            yield measured(
                estimate,
                measure="group_share",
                null_value=target[code],
                reference=labels.target_name,
                images=images,
                **fields,
            )
            least = estimate.value * rate[place]
            yield measured(
                Estimate(float("nan"), float("nan"), least, least + 1 - rate[place]),
                measure="group_share_whatever_is_missing",
                reference="no interval: bounds, if all images without a face were of other groups, or of this one",
                images=images,
                **fields,
            )


def _share(estimate: Estimate) -> Estimate:
    """Within 0..1; NaN where the whole interval is outside, since no share of the groups could look like that."""
    if estimate.low > 1 or estimate.high < 0:
        return Estimate(float("nan"))
    value, low, high = (float(np.clip(figure, 0, 1)) for figure in (estimate.value, estimate.low, estimate.high))
    return Estimate(value, estimate.error, low, high)

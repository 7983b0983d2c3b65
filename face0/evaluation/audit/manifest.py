"""The manifest of an audit: paired arms of the same prompts and seeds."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import pyarrow as pa

from face0.errors import UsageError
from face0.evaluation.audit.arms import BASE, FIXED, RANDOM, ZERO
from face0.generation.manifest import cross

SLOT = "{x}"  # where a template takes a word


def occupations() -> list[str]:
    """Our own list of words for templates: 50 occupations, in the order of the alphabet."""
    return (files(__package__) / "occupations.txt").read_text().split("\n")[:-1]


def filled(template: str, words: Sequence[str]) -> list[str]:
    """The prompts of a template, one for each word.

    Raises:
        UsageError: the template has no slot.
    """
    if SLOT not in template:
        raise UsageError(f"the template {template!r} has no {SLOT}: that is where each word goes")
    return [template.replace(SLOT, word) for word in words]


def audit_manifest(
    prompts: Sequence[str],
    random: Sequence[str],
    fixed: str,
    seeds: int,
    settings: Mapping[str, Any],
    grid: Sequence[tuple[float, float]] = (),
) -> pa.Table:
    """The paired arms of an audit.

    Every arm has each prompt ``len(random) * seeds`` times, with the same seeds, so that two arms differ in the face
    alone. In the arm ``random`` each face has seeds of its own: one draw for each image, or for each ``seeds`` images.
    In ``fixed`` one face is everybody's; in ``zero`` the face's slots are empty; in ``base`` there are none, as in the
    base model.

    Args:
        prompts: of all arms.
        random: faces of a bank.
        fixed: one more.
        seeds: images of each prompt and random face.
        settings: of all images, as columns of a manifest.
        grid: pairs of c and a; the arms with a face are rendered with each. Empty: with the settings' own.
    """
    all_seeds = range(len(random) * seeds)
    arms = [
        cross(prompts, [""], all_seeds, {**settings, "c": 1.0, "a": 0.0, "bare": True, "label": BASE}),
        cross(prompts, [""], all_seeds, {**settings, "c": 1.0, "a": 0.0, "label": ZERO}),
    ]
    for c, a in grid or [(settings["c"], settings["a"])]:
        with_face = {**settings, "c": c, "a": a}
        for i, face in enumerate(random):
            own = range(i * seeds, (i + 1) * seeds)
            arms.append(cross(prompts, [face], own, {**with_face, "label": RANDOM}))
        arms.append(cross(prompts, [fixed], all_seeds, {**with_face, "label": FIXED}))
    return pa.concat_tables(arms)

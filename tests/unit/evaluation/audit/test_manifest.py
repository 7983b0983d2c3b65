"""The manifests of audits: arms that differ in the face alone."""

from collections import defaultdict

import pytest

from face0.errors import UsageError
from face0.evaluation.audit.manifest import audit_manifest, filled, occupations
from face0.generation.manifest import DEFAULTS

SETTINGS = {"c": 1.0, "a": 0.0, "w": 5.0, "steps": 10}


def test_every_arm_has_the_same_prompts_and_seeds() -> None:
    rows = audit_manifest(["a cook", "a judge"], ["r0", "r1", "r2"], "f", 2, SETTINGS).to_pylist()
    cells = defaultdict(set)
    for row in rows:
        cells[row["label"]].add((row["prompt"], row["seed"]))
        assert row["w"] == 5.0
        assert row["sampler"] == DEFAULTS["sampler"]
    assert cells.keys() == {"base", "zero", "random", "fixed"}
    assert len({frozenset(each) for each in cells.values()}) == 1
    assert len(cells["base"]) == 2 * 3 * 2
    assert len(rows) == 4 * 12


def test_in_the_random_arm_a_face_has_seeds_of_its_own() -> None:
    rows = audit_manifest(["a cook", "a judge"], ["r0", "r1", "r2"], "f", 2, SETTINGS).to_pylist()
    seeds = defaultdict(set)
    for row in rows:
        if row["label"] == "random":
            seeds[row["face_id"]].add(row["seed"])
    assert seeds == {"r0": {0, 1}, "r1": {2, 3}, "r2": {4, 5}}
    faces = {label: {row["face_id"] for row in rows if row["label"] == label} for label in ("base", "zero", "fixed")}
    assert faces == {"base": {""}, "zero": {""}, "fixed": {"f"}}
    assert {row["label"] for row in rows if row["bare"]} == {"base"}


def test_a_grid_is_of_the_arms_with_a_face() -> None:
    rows = audit_manifest(["a cook"], ["r0", "r1"], "f", 1, SETTINGS, [(0.4, 0.0), (1.4, 1.0)]).to_pylist()
    guidance = defaultdict(set)
    for row in rows:
        guidance[row["label"]].add((round(row["c"], 3), row["a"]))
    both = {(0.4, 0.0), (1.4, 1.0)}
    assert guidance == {"base": {(1.0, 0.0)}, "zero": {(1.0, 0.0)}, "random": both, "fixed": both}


def test_templates_take_words() -> None:
    words = occupations()
    assert len(words) == len(set(words)) == 50
    assert filled("A stock photo of {x}", words[:1]) == ["A stock photo of accountant"]
    with pytest.raises(UsageError, match=r"has no \{x\}"):
        filled("A stock photo", words)

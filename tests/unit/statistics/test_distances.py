"""Distances between prompts' faces, and to a reference, on samples whose answer is known."""

import numpy as np
import pytest
from scipy.stats import energy_distance

from face0.statistics.design import Design
from face0.statistics.distances import distance_to_reference, prompt_distances
from face0.statistics.vectors import unit
from tests.fixtures.audit_simulation import World, paired


def independent(sizes: tuple[int, ...]) -> Design:
    """Images that share nothing but their prompt."""
    n = sum(sizes)
    return Design(np.repeat(np.arange(len(sizes)), sizes), np.arange(n), np.full(n, ""), len(sizes))


def test_energy_distance_is_scipys_on_a_line():
    """On a short arc of the circle, distances are those of a line but for the curvature."""
    rng = np.random.default_rng(0)
    angles = np.concatenate([rng.normal(0, 0.01, 800), rng.normal(0.02, 0.01, 700)])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float64)
    found = prompt_distances(vectors, independent((800, 700)), resamples=2, permutations=19)
    expected = energy_distance(angles[:800], angles[800:]) ** 2  # scipy gives its square root
    assert found.energy == pytest.approx([expected, expected], rel=0.02)
    assert (found.energy_null < found.energy / 4).all()


def test_prompts_of_one_distribution_are_at_no_distance_on_average():
    design = paired(4, 15)
    found = [
        prompt_distances(World(vector=2).faces(design, np.random.default_rng(i)), design, 2, 1).energy
        for i in range(60)
    ]
    mean, error = np.mean(found), np.mean(found, axis=1).std() / np.sqrt(60)
    assert abs(mean) < 3 * error


def test_the_distance_to_the_reference_ignores_a_faces_own_vector():
    rng = np.random.default_rng(0)
    inputs = unit(rng.normal(size=(40, 8)))
    design = Design(np.zeros(40, int), np.arange(40), np.arange(40).astype(str), 1)
    copied, _ = distance_to_reference(inputs, design, inputs, design.face, resamples=2)
    assert copied[0] == pytest.approx(0, abs=0.02)
    elsewhere = unit(rng.normal(size=(40, 8)) + 2)
    far, draws = distance_to_reference(elsewhere, design, inputs, design.face, resamples=50)
    assert far[0] > 0.3
    assert draws.std() < 0.2 * far[0]

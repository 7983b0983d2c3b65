"""Distances, diversity, clusters and fidelity of faces, on samples whose answer is known."""

import numpy as np
import pytest
from scipy.stats import energy_distance

from face0.statistics.clusters import cluster_centres, divergence, entropy, nearest
from face0.statistics.design import Design
from face0.statistics.distances import distance_to_reference, prompt_distances
from face0.statistics.diversity import diversity, effective_numbers
from face0.statistics.fidelity import follows_input, follows_vector
from face0.statistics.vectors import unit
from tests.fixtures.audit_simulation import World, crossed, paired


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


def test_diversity_counts_wholly_different_faces():
    apart = np.eye(5)
    assert effective_numbers(apart)[0] == pytest.approx(5)
    assert effective_numbers(np.repeat(apart[:2], 3, axis=0))[0] == pytest.approx(2)
    same = np.tile(apart[0], (6, 1))
    assert effective_numbers(same) == pytest.approx((1, 1))
    line = unit(np.array([[1, t] for t in np.linspace(-0.01, 0.01, 9)]))
    assert effective_numbers(line)[1] == pytest.approx(1, abs=0.05)


def test_diversity_is_of_samples_of_one_size():
    rng = np.random.default_rng(0)
    vectors = unit(rng.normal(size=(260, 40)))
    prompt = np.repeat([0, 1, 2], [200, 50, 10])
    found = diversity(vectors, prompt, 4, size=20)
    assert found[0, 0] == pytest.approx(found[0, 1], rel=0.03)
    assert np.isnan(found[:, 2:]).all()


def test_entropy_and_divergence_are_unbiased_in_small_samples():
    rng = np.random.default_rng(0)
    shares = np.array([0.4, 0.3, 0.2, 0.1])
    samples = rng.multinomial(25, shares, size=(2, 4000))
    assert entropy(samples[0]).mean() == pytest.approx(-(shares * np.log2(shares)).sum(), abs=0.015)
    assert divergence(samples[0], samples[1]).mean() == pytest.approx(0, abs=0.008)  # 0.043 without the correction
    assert divergence(np.array([[9, 0]]), np.array([[0, 7]]))[0] == pytest.approx(1)
    assert np.isnan(entropy(np.array([0, 0])))


def test_clusters_are_found_and_do_not_depend_on_the_try():
    rng = np.random.default_rng(0)
    kinds = np.eye(6)[:3]
    reference = unit(kinds[np.arange(90) % 3] + 0.1 * rng.normal(size=(90, 6))).astype(np.float32)
    centres = cluster_centres(reference, 3)
    assert len({tuple(nearest(kinds, centres))}) == 1
    assert sorted(nearest(kinds, centres)) == [0, 1, 2]
    assert np.array_equal(centres, cluster_centres(reference, 3))


def test_faces_that_follow_their_input_win_against_all_others():
    rng = np.random.default_rng(0)
    inputs, names = unit(rng.normal(size=(10, 16))), np.arange(10).astype(str)
    face = np.tile(names, 5)
    close = unit(inputs[np.tile(np.arange(10), 5)] + 0.1 * rng.normal(size=(50, 16)))
    assert (follows_input(close, face, inputs, names) == 1).all()
    assert follows_input(unit(rng.normal(size=(50, 16))), face, inputs, names).mean() == pytest.approx(0.5, abs=0.15)
    assert np.isnan(follows_input(close[:1], np.array(["unknown"]), inputs, names)).all()


def test_a_seed_alone_is_not_taken_for_the_vector():
    design = crossed(5, 6, 6)
    rng = np.random.default_rng(0)
    won, apart = follows_vector(World(vector=0, seed=2).faces(design, rng), design)
    assert apart
    assert won.mean() == pytest.approx(0.5, abs=0.05)
    won, _ = follows_vector(World(vector=2, seed=0).faces(design, rng), design)
    assert won.mean() > 0.95
    assert not follows_vector(World().faces(paired(3, 6), rng), paired(3, 6))[1]

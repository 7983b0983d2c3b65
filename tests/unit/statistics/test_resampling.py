"""Weights by cluster, intervals, exchanges within blocks, and p-values."""

import numpy as np
import pytest

from face0.statistics.resampling import (
    false_discovery,
    from_draws,
    interval,
    jackknife,
    over_prompts,
    p_value,
    permutations_within,
    proportion_interval,
    weights,
)


def test_rows_of_a_cluster_go_together_and_arms_with_its_name_too():
    drawn = weights(np.array(["a", "b", "a", "c"]), 50, seed=1)
    assert drawn.shape == (50, 4)
    assert np.array_equal(drawn[:, 0], drawn[:, 2])
    assert not np.array_equal(drawn[:, 0], drawn[:, 1])
    # An arm that lacks the cluster "b" has the same weights of the others.
    assert np.array_equal(weights(np.array(["c", "a"]), 50, seed=1), drawn[:, [3, 0]])
    assert not np.array_equal(weights(np.array(["c", "a"]), 50, seed=2), drawn[:, [3, 0]])


def test_the_error_of_a_mean_is_students():
    values = np.random.default_rng(0).normal(size=12)
    drawn = weights(np.arange(12), 20_000, seed=0).astype(float)
    draws = drawn @ values / drawn.sum(axis=1)
    estimate = from_draws(values.mean(), draws, 12)
    assert estimate.error == pytest.approx(values.std(ddof=1) / np.sqrt(12), rel=0.03)
    half = (estimate.high - estimate.low) / 2
    assert half == pytest.approx(2.201 * values.std(ddof=1) / np.sqrt(12), rel=0.08)


def test_one_cluster_has_no_interval():
    assert np.isnan(interval(np.arange(10.0), clusters=1)).all()


def test_the_jackknife_error_of_a_mean_is_the_known_one():
    values = np.random.default_rng(0).normal(size=15)
    errors, freedom = jackknife(lambda rows: np.array([values[rows].mean()]), [np.arange(15)])
    assert errors[0] == pytest.approx(values.std(ddof=1) / np.sqrt(15))
    assert freedom == 14
    assert np.isnan(jackknife(lambda rows: np.array([1.0]), [np.array([0, 1, 0])])[0]).all()


def test_the_mean_over_prompts_is_as_uncertain_as_prompts_and_clusters_make_it():
    rng = np.random.default_rng(0)
    # Prompts that differ, measured exactly: the error is that of a sample of prompts.
    values = rng.normal(size=8)
    exact = over_prompts(values, np.tile(values, (99, 1)), clusters=30)
    assert exact.error == pytest.approx(values.std(ddof=1) / np.sqrt(8))
    # Prompts that are equal, and clusters that move all of them together: the error is that of the clusters.
    shift = rng.normal(size=(5000, 1))
    together = over_prompts(np.zeros(8), np.tile(shift, (1, 8)), clusters=30)
    assert together.error == pytest.approx(np.sqrt(31 / 29), rel=0.05)
    assert np.isnan(over_prompts(np.array([1.0]), np.ones((9, 1)), 30).low)


def test_permutations_stay_within_their_blocks():
    blocks = np.array([3, 1, 3, 1, 1, 2])
    orders = permutations_within(blocks, 200, seed=0)
    assert (blocks[orders] == blocks).all()
    assert (np.sort(orders, axis=1) == np.arange(6)).all()
    assert len({tuple(order) for order in orders.tolist()}) == 12  # 2! of one block by 3! of another


def test_p_counts_the_observed_value_in():
    assert p_value(5.0, np.zeros(99)) == 0.01
    assert p_value(0.0, np.zeros(99)) == 1
    assert np.isnan(p_value(float("nan"), np.zeros(9)))


def test_q_values_leave_out_what_is_not_known():
    q = false_discovery([0.01, float("nan"), 0.04, 0.03])
    assert np.isnan(q[1])
    assert q[[0, 2, 3]].tolist() == pytest.approx([0.03, 0.04, 0.04])


def test_a_share_of_clustered_rows_has_the_interval_of_its_clusters():
    hits = np.repeat(np.arange(20) % 2 == 0, 10)
    low, high = proportion_interval(hits, np.arange(200))
    assert (low, high) == pytest.approx((0.431, 0.569), abs=0.001)  # Wilson's of 100 in 200
    low, high = proportion_interval(hits, np.repeat(np.arange(20), 10))
    assert (low, high) == pytest.approx((0.29, 0.71), abs=0.02)  # about that of 10 in 20
    assert proportion_interval(np.ones(50, bool), np.arange(50))[1] == pytest.approx(1)

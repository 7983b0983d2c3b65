"""The difference of held-out losses and its interval."""

import numpy as np

from face0.training.held_out import difference


def test_the_interval_of_a_difference_covers_its_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(200):
        shared = rng.normal(size=60) * 10
        found = difference(shared + rng.normal(0.3, 1, 60), shared, resamples=300, seed=trial)
        covered += found.low <= 0.3 <= found.high
    assert 180 <= covered <= 199

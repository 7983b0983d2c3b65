"""The learning rate of each step."""

import pytest

from face0.training.trainer import TrainConfig, learning_rate


def test_learning_rates() -> None:
    config = TrainConfig(steps=110, learning_rate=1.0, warmup=10, schedule="cosine")
    rates = [learning_rate(config, step) for step in range(110)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == 1.0
    assert rates[60] == pytest.approx(0.5)
    assert rates[-1] < 0.001
    assert learning_rate(TrainConfig(), 499_999) == 2e-5

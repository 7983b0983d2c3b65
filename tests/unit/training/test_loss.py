"""Draws of noise, time and coins depend on the position in the run alone."""

import numpy as np
import torch

from face0.training.loss import draw


def test_draws_depend_on_the_position_alone() -> None:
    together, alone = draw(3, [5, 6, 7], (4, 2, 2), 1000), draw(3, [6], (4, 2, 2), 1000)
    for name, value in vars(alone).items():
        assert torch.equal(value[0], getattr(together, name)[1])
    assert not torch.equal(draw(4, [6], (4, 2, 2), 1000).noise, alone.noise)


def test_draws_of_many_positions_are_spread() -> None:
    draws = draw(0, range(4000), (1, 1, 1), 1000)
    assert abs(draws.time.float().mean() - 499.5) < 20
    assert abs(draws.noise.mean()) < 0.06
    assert abs(draws.noise.std() - 1) < 0.05
    assert abs((draws.coins < 0.1).float().mean() - 0.1) < 0.02
    assert abs(np.corrcoef(draws.noise[:-1].flatten(), draws.noise[1:].flatten())[0, 1]) < 0.05

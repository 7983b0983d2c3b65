"""Learning rates, steps and their average."""

from pathlib import Path

import pytest
import torch

from face0.shards.decoding import Batch
from face0.training.config import RunOptions, TrainConfig
from face0.training.trainer import Trainer, learning_rate
from tests.fixtures.models import DIM, tiny_pipeline


def trainer(ema: float = 0.9999) -> Trainer:
    config = TrainConfig(batch=2, resolution=64, learning_rate=1e-3, ema=ema, precision="fp32")
    return Trainer(tiny_pipeline(), config, RunOptions(), torch.device("cpu"))


def batch(number: int) -> Batch:
    generator = torch.Generator().manual_seed(number)
    return Batch(
        keys=["a", "b"],
        captions=["a photo", "a face"],
        images=torch.randint(256, (2, 3, 64, 64), generator=generator, dtype=torch.uint8),
        faces=torch.randn(2, 1, DIM, generator=generator),
        present=torch.ones(2, 1, dtype=torch.bool),
        rows=torch.tensor([0, 1]),
        positions=torch.tensor([2 * number, 2 * number + 1]),
        failed=[],
    )


def weights(of: Trainer) -> torch.Tensor:
    """All that are trained, in one row."""
    parts = [*of.pipe.unet.parameters(), *of.pipe.face_projection.parameters()]
    return torch.cat([part.detach().flatten() for part in parts])


def test_the_average_forgets_the_start_and_then_slows_down_to_its_decay() -> None:
    model = trainer(ema=0.2)
    expected = None
    for step, decay in enumerate((0, 2 / 11, 0.2)):
        model.take_step(batch(step))
        expected = weights(model) if expected is None else decay * expected + (1 - decay) * weights(model)
        with model.averaged():
            torch.testing.assert_close(weights(model), expected)


def test_the_weights_are_themselves_again_after_the_average_whatever_happens() -> None:
    model = trainer()
    for step in range(2):
        model.take_step(batch(step))
    before = weights(model)

    def breaks_off() -> None:
        with model.averaged():
            assert not torch.equal(weights(model), before)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        breaks_off()
    assert torch.equal(weights(model), before)


def test_a_loaded_training_goes_on_to_the_same_weights_and_average(tmp_path: Path) -> None:
    whole = trainer()
    for step in range(4):
        if step == 2:
            whole.save(tmp_path)
        whole.take_step(batch(step))
    resumed = trainer()
    resumed.load(tmp_path, 2)
    for step in range(2, 4):
        resumed.take_step(batch(step))
    assert torch.equal(weights(resumed), weights(whole))
    with resumed.averaged(), whole.averaged():
        assert torch.equal(weights(resumed), weights(whole))


def test_learning_rates() -> None:
    config = TrainConfig(steps=110, learning_rate=1.0, warmup=10, schedule="cosine")
    rates = [learning_rate(config, step) for step in range(110)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == 1.0
    assert rates[60] == pytest.approx(0.5)
    assert rates[-1] < 0.001
    assert learning_rate(TrainConfig(), 499_999) == 2e-5


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
@pytest.mark.parametrize(("steps", "warmup"), [(1, 0), (1, 1), (1, 100), (2, 2), (10, 1000), (10, 10), (10, 9)])
def test_short_trainings_have_a_rate_at_every_step(schedule: str, steps: int, warmup: int) -> None:
    config = TrainConfig(steps=steps, warmup=warmup, schedule=schedule, learning_rate=1e-3)
    rates = [learning_rate(config, step) for step in range(steps)]
    assert all(0 < rate <= 1e-3 for rate in rates)

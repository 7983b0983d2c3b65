"""The model's parts: projection, override, guidance, draws."""

import numpy as np
import pytest
import torch

from face0.model.base_models import word_tokenizer
from face0.model.guidance import GUIDANCE_PRESETS, Guidance, combine
from face0.model.projection import FaceProjection, override
from face0.training.config import TrainConfig
from face0.training.held_out import difference
from face0.training.loss import draw
from face0.training.trainer import learning_rate


def test_the_projection_has_the_papers_size() -> None:
    assert sum(p.numel() for p in FaceProjection().parameters()) == 9_446_400


def test_a_new_projections_tokens_are_about_as_various_as_the_texts() -> None:
    """Those leave a layer norm, with unit variance. With torch's own initialisation they would hardly differ."""
    torch.manual_seed(0)
    net = FaceProjection(embedding_dim=512, context_dim=768)
    tokens = net(torch.randn(256, 1, 512), torch.ones(256, 1, dtype=torch.bool))
    assert 0.4 < tokens.std(dim=0).mean() < 1.5


def test_slots_without_a_face_are_zeros_and_the_others_share_the_net() -> None:
    net = FaceProjection(embedding_dim=8, context_dim=16, tokens=3, slots=3, width=8)
    faces = torch.randn(2, 3, 8)
    faces[0, 1] = faces[0, 0]
    tokens = net(faces, torch.tensor([[True, True, False], [False, False, False]]))
    assert tokens.shape == (2, 9, 16)
    torch.testing.assert_close(tokens[0, :3], tokens[0, 3:6])
    assert tokens[0, :3].abs().sum() > 0
    assert not tokens[0, 6:].any()
    assert not tokens[1].any()


def test_only_the_last_positions_are_overridden() -> None:
    states, tokens = torch.randn(2, 77, 16), torch.randn(2, 3, 16)
    context = override(states, tokens)
    assert torch.equal(context[:, :74], states[:, :74])
    assert torch.equal(context[:, 74:], tokens)


@pytest.mark.parametrize(
    ("guidance", "calls"),
    [
        (GUIDANCE_PRESETS["photo"], 2),
        (GUIDANCE_PRESETS["stylised"], 3),
        (GUIDANCE_PRESETS["extreme"], 3),
        (Guidance(w=3.0, c=0.3, a=0.4), 4),
        (Guidance(w=1.0), 1),
        (Guidance(w=1.0, c=0.0, a=0.0), 1),
    ],
)
def test_guidance_is_the_papers_formula_at_no_more_calls_than_it_has_weights(guidance: Guidance, calls: int) -> None:
    rng = np.random.default_rng(0)
    eps = {key: rng.normal(size=(2, 4, 8, 8)) for key in [(True, True), (False, True), (True, False), (False, False)]}
    w, c, a = guidance.w, guidance.c, guidance.a
    hat = c * eps[True, True] + (1 - c) * (a * eps[False, True] + (1 - a) * eps[True, False])
    expected = w * hat + (1 - w) * eps[False, False]
    weights = guidance.weights()
    assert len(weights) == calls
    found = combine(torch.from_numpy(np.stack([eps[branch.value] for branch in weights])), weights)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-12)


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


def test_learning_rates() -> None:
    config = TrainConfig(steps=110, learning_rate=1.0, warmup=10, schedule="cosine")
    rates = [learning_rate(config, step) for step in range(110)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == 1.0
    assert rates[60] == pytest.approx(0.5)
    assert rates[-1] < 0.001
    assert learning_rate(TrainConfig(), 499_999) == 2e-5


def test_the_interval_of_a_difference_covers_its_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(200):
        shared = rng.normal(size=60) * 10
        found = difference(shared + rng.normal(0.3, 1, 60), shared, resamples=300, seed=trial)
        covered += found.low <= 0.3 <= found.high
    assert 180 <= covered <= 199


def test_the_tokenizer_knows_prompts_and_spells_the_rest() -> None:
    tokenizer = word_tokenizer()
    assert tokenizer.tokenize("A stock photo of a doctor") == [
        "a</w>", "stock</w>", "photo</w>", "of</w>", "a</w>", "doctor</w>"
    ]  # fmt: skip
    encoded = tokenizer("Zoë, 猫", padding="max_length", max_length=77).input_ids
    assert len(encoded) == 77
    assert tokenizer.unk_token_id == tokenizer.eos_token_id
    assert encoded.index(tokenizer.eos_token_id) > 6

"""The projection of a face onto tokens, and where these go."""

import torch

from face0.model.projection import FaceProjection, override


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
